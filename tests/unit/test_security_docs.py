"""What the security documents claim: their tests exist, and their names are what is emitted."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag
from botocore.stub import Stubber
from functions.endpoint import MAX_IDEMPOTENCY_KEY

from apidocs.openapi import build
from functions import breaches, cognito, events, limits, repeats
from functions.operations import Operation
from functions.settings import settings
from functions.telemetry.metrics import ABSORBED, Incident
from local.breaches import PASSWORDS, breached_passwords
from tests.support.front import CLIENT_SECRET, CognitoFront
from tests.support.invocation import BODIES, SUB, Reply
from tests.unit.conftest import Configure, Invoke
from tests.unit.test_events import answer
from tests.unit.test_passwords import STRICT, policy

RESET, CONFIRM, UPDATE = Operation
ROOT = Path(__file__).parents[2]
FEATURES = (ROOT / "docs/security-features.md").read_text()
X = "\u00d7"
CITATION = r"`(tests/[\w/]+\.py)::(\w+)`"


def rows(text: str) -> list[list[str]]:
    """The cells of each row of the tables, without their heads."""
    table = re.findall(
        r"^\| (.*?) ?\|$",
        re.sub(r"^.*\n\|---.*\n", "", text, flags=re.MULTILINE),
        re.MULTILINE,
    )
    return [re.split(r" ?\| ?", row) for row in table]


def section(heading: str) -> str:
    found = FEATURES.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert found, f"There is no section {heading!r}."
    return found


def names(heading: str) -> list[str]:
    """What the first cells of a section's table name, in backticks."""
    return [name for first, *_ in rows(section(heading)) for name in re.findall("`(.+?)`", first)]


@cache
def defined_in(file: Path) -> set[str]:
    """The names of the tests that a file has, without its helpers."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return {n.name for n in nodes if isinstance(n, ast.FunctionDef) and n.name[:5] == "test_"}


CITED = {
    f"{document.stem}-{file}-{test}": (ROOT / file, test)
    for document in sorted((ROOT / "docs").rglob("*.md"))
    for file, test in re.findall(CITATION, document.read_text())
}


@pytest.mark.parametrize(("file", "test"), CITED.values(), ids=CITED)
def test_a_cited_test_exists(file: Path, test: str) -> None:
    assert test in defined_in(file)


@pytest.mark.parametrize("document", ["threat-model", "standards", "security-features"])
def test_nothing_that_looks_like_a_test_escapes_the_search(document: str) -> None:
    text = (ROOT / f"docs/{document}.md").read_text()

    assert text.count("::") == len(re.findall(CITATION, text))
    assert "test_" not in re.sub(CITATION, "", text)


def test_each_attack_has_a_defence_and_a_test() -> None:
    attacks = rows((ROOT / "docs/threat-model.md").read_text())

    assert len(attacks) > 30
    for attack, defence, tests, *_ in attacks:
        assert attack
        assert defence
        assert re.fullmatch(rf"{CITATION}(, {CITATION})*", tests), attack


class World(NamedTuple):
    """What a scenario may change, and how it calls a handler."""

    cognito: CognitoFront
    configure: Configure
    invoke: Invoke
    patch: pytest.MonkeyPatch

    def answer(self, operation: Operation, action: str, **script: Any) -> Reply:
        self.cognito.answer(action, **script)
        return self.invoke(operation)

    def sets(self, operation: Operation, **changes: Any) -> Reply:
        self.configure(**changes)
        return self.invoke(operation)

    def limited(self) -> Reply:
        self.configure(limits=True)
        return [self.invoke(RESET) for _ in range(RESET.attempts_per_hour + 1)][-1]

    def unrepeatable(self) -> Reply:
        self.configure(**NO_TABLE)
        return self.invoke(CONFIRM, headers={"Idempotency-Key": "key"})

    def signed_in_elsewhere(self) -> Reply:
        self.cognito.answer("GlobalSignOut", error="InternalErrorException")
        return self.invoke(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": True}})

    def without_an_event(self) -> Reply:
        with Stubber(events.client()) as bus:
            bus.add_client_error("put_events", "ThrottlingException")
            return self.sets(CONFIRM, event_bus_name="the-bus")

    def crash(self) -> Reply:
        self.patch.delenv("ALLOWED_ORIGINS")
        settings.cache_clear()
        return self.invoke(RESET)


@pytest.fixture
def world(
    cognito: CognitoFront, configure: Configure, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    events.client.cache_clear()
    yield World(cognito, configure, invoke, monkeypatch)
    events.client.cache_clear()


NO_TABLE = {"limits": True, "table_name": "a-table-that-is-not-there"}
NO_BREACHES = {"breach_endpoint": "http://127.0.0.1:9/range"}
NOT_AUTHORIZED = "NotAuthorizedException"
WRONG_HASH = "Unable to verify secret hash for client"
type Scenario = Callable[[World], Reply]
METRICS: dict[str, Scenario] = {
    "Success": lambda w: w.invoke(RESET),
    "Absorbed": lambda w: w.answer(RESET, "ForgotPassword", error="UserNotFoundException"),
    "AttemptsLimit": World.limited,
    "NoBearerToken": lambda w: w.invoke(UPDATE, headers={"Authorization": ""}),
    "NoAccessToken": lambda w: w.invoke(UPDATE, claims={"token_use": "id"}),
    "ForeignClient": lambda w: w.invoke(UPDATE, claims={"client_id": "another"}),
    "UnknownNotAuthorizedException": lambda w: w.answer(
        UPDATE, "ChangePassword", error=NOT_AUTHORIZED, message="New words"
    ),
    "WrongSecretHash": lambda w: w.answer(
        RESET, "ForgotPassword", error=NOT_AUTHORIZED, message=WRONG_HASH
    ),
    "DescribeUserPoolClient.AccessDeniedException": lambda w: w.answer(
        RESET, "DescribeUserPoolClient", error="AccessDeniedException"
    ),
    "ForeignAnswerError": lambda w: w.answer(RESET, "ForgotPassword", body=b"<html>"),
    "ConnectionClosedError": lambda w: w.answer(RESET, "ForgotPassword", reset=True),
    "LimitsFailed": lambda w: w.sets(RESET, **NO_TABLE),
    "RepeatsFailed": World.unrepeatable,
    "BreachCheckFailed": lambda w: w.sets(CONFIRM, **NO_BREACHES),
    "PolicyUnreadable": lambda w: w.answer(
        CONFIRM, "DescribeUserPool", error="AccessDeniedException"
    ),
    "SignOutFailed": World.signed_in_elsewhere,
    "EventFailed": World.without_an_event,
}
"""A way to each metric."""


def test_the_metrics_are_those_that_are_tried_here() -> None:
    assert set(names("Metrics")) == METRICS.keys()


@pytest.mark.usefixtures("dynamodb")
@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_emitted_for_what_the_document_says(metric: str, world: World) -> None:
    (kind,) = (cells[1] for cells in rows(section("Metrics")) if cells[0] == f"`{metric}`")

    reply = METRICS[metric](world)

    assert metric in reply.metrics
    kinds = {
        "incident": metric in reply.log.get("incidents", ()),
        "outcome": metric == reply.log["outcome"],
        "cause": metric == reply.log.get("cause"),
        "absorbed": metric == ABSORBED and reply.log["absorbed"],
    }
    assert [name for name, is_it in kinds.items() if is_it] == [kind]


def test_each_incident_of_the_code_stands_in_the_document() -> None:
    documented = [
        cells[0].strip("`") for cells in rows(section("Metrics")) if cells[1] == "incident"
    ]

    assert sorted(documented) == sorted(Incident)


def test_a_cold_start_is_counted_as_the_document_says(world: World) -> None:
    reset_cold_start_flag()  # type: ignore[no-untyped-call]

    blobs = [json.loads(line) for line in world.invoke(RESET).printed.splitlines()]

    (blob,) = (blob for blob in blobs if "ColdStart" in blob)
    (dimensions,) = blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    (sentence,) = re.findall(r"`ColdStart` has the dimensions (.*?) instead", section("Metrics"))
    assert set(dimensions) == set(re.findall("`(.+?)`", sentence))


@pytest.mark.usefixtures("dynamodb")
def test_the_log_line_has_the_members_of_the_document_and_no_other(world: World) -> None:
    world.patch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
    members = rows(section("The log line"))
    always = {
        n for first, when, _ in members if when == "always" for n in re.findall("`(.+?)`", first)
    }

    logs = [
        world.invoke(RESET).log,
        world.answer(RESET, "ForgotPassword", error="UserNotFoundException").log,
        world.answer(CONFIRM, "ConfirmForgotPassword", error="CodeMismatchException").log,
        world.invoke(UPDATE, raw="{").log,
        world.crash().log,
    ]

    assert set().union(*logs) == set(names("The log line"))
    assert always <= set.intersection(*map(set, logs))


def broken_rules(reply: Reply) -> dict[str, str]:
    return {error["rule"]: error["detail"] for error in reply.body["errors"]}


def test_the_password_rules_are_those_of_the_code(world: World) -> None:
    """One password breaks all of them but the last, which is judged if no other is broken."""
    policy(world.cognito, **STRICT | {"MinimumLength": 15})
    name = "\u00e9" * 3
    password = f"\u3000{name}"
    body = {"oldPassword": password, "newPassword": password}
    broken = broken_rules(world.invoke(UPDATE, body, claims={"username": name}))
    world.patch.setitem(cognito.kept_policy, "expires", 0.0)
    policy(world.cognito)
    with breached_passwords() as endpoint:
        world.configure(breach_endpoint=endpoint)
        stolen = world.invoke(CONFIRM, BODIES[CONFIRM] | {"newPassword": PASSWORDS[0]})

    documented = {rule.strip("`"): text for rule, text, _ in rows(section("Password rules"))}

    assert documented == broken | broken_rules(stolen)
    errors = build()["components"]["schemas"]["Problem"]["properties"]["errors"]
    described = errors["items"]["properties"]["rule"]["description"]
    assert {*documented} - {"minLength"} <= set(re.findall("`(\\w+)`", described))


def test_no_password_rule_of_the_code_is_left_out() -> None:
    code = (ROOT / "functions/passwords.py").read_text()
    named = set(re.findall(r'(?:yield |\[\()"(\w+)", ', code))
    required = {name[0].lower() + name[1:] for name in re.findall(r'"(Require\w+)": \(', code)}

    assert named > {"minLength", "breached"}
    assert len(required) == 4
    assert named | required == set(names("Password rules"))


def limit_table() -> str:
    """The table of the limits."""
    address = limits.ATTEMPTS_PER_ADDRESS
    rows = [
        (RESET, "the user name and the address", RESET.attempts_per_hour),
        (CONFIRM, "the user name and the address", CONFIRM.attempts_per_hour),
        (UPDATE, "the user who is signed in (`sub`), from any address", UPDATE.attempts_per_hour),
        (RESET, "the address, over all names", address),
        (CONFIRM, "the address, over all names", address),
    ]
    head = f"| operation | counted for | attempts in {limits.WINDOW} s |\n|---|---|---|\n"
    return head + "\n".join(f"| `{o.id}` | {whose} | {attempts} |" for o, whose, attempts in rows)


def test_the_limits_are_those_of_the_code() -> None:
    assert limit_table() in section("Limits")
    throttles = [operation.requests_per_second for operation in Operation]
    assert "{}, {} and {} requests a second".format(*throttles) in section("Limits")


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("Password rules", f"again after {cognito.POLICY_KEPT_FOR} seconds"),
        ("Idempotency-Key", f"up to {MAX_IDEMPOTENCY_KEY} characters"),
        ("Idempotency-Key", f"| {repeats.KEPT_FOR} s |"),
        ("Breached passwords", "After about a second" if breaches.BUDGET == 1 else "?"),
    ],
)
def test_the_numbers_are_those_of_the_code(heading: str, text: str) -> None:
    assert text in section(heading)


def test_the_cost_of_the_step_is_for_the_memory_of_the_stack() -> None:
    (memory,) = re.findall(
        r"^MEMORY: Final = (\d+)", (ROOT / "infra/functions.py").read_text(), re.MULTILINE
    )
    gigabytes = int(memory) / 1024

    text = section("Uniform time")

    assert f"With {memory} MB, which is {gigabytes} GB" in text
    assert f"{gigabytes} {X} 1 {X} 1 {X} 1,000,000 = {gigabytes * 1_000_000:,.0f}" in text
    assert f"{gigabytes} {X} 0.2 {X} 1,000,000 = {gigabytes * 200_000:,.0f}" in text
    assert f"cost {gigabytes * 800_000:,.0f} GB-seconds more" in " ".join(text.split())


def code_block(heading: str, language: str) -> str:
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL
    )
    return str(block)


def test_an_event_is_what_its_schema_says(world: World) -> None:
    schema = json.loads(code_block("Events", "json"))
    seen: list[dict[str, Any]] = []

    class Entries:
        def __eq__(self, other: object) -> bool:
            assert isinstance(other, list)
            seen.extend(other)
            return True

        __hash__ = None  # type: ignore[assignment]

    world.configure(event_bus_name="the-bus")
    with Stubber(events.client()) as bus:
        for operation in (CONFIRM, UPDATE):
            bus.add_response("put_events", answer(), {"Entries": Entries()})
            world.invoke(operation)

    documented = [
        (kind.strip("`"), *re.findall("`(.+?)`", who)) for kind, who in rows(section("Events"))
    ]
    details = [json.loads(entry["Detail"]) for entry in seen]
    assert [entry["DetailType"] for entry in seen] == [kind for kind, _ in documented]
    assert {entry["Source"] for entry in seen} == {"password-service"}
    assert schema["oneOf"] == [{"required": [who]} for _, who in documented]
    assert schema["additionalProperties"] is False
    for detail, (_, who) in zip(details, documented, strict=True):
        assert detail.keys() == {*schema["required"], who}
        assert detail.keys() <= schema["properties"].keys()
        assert all(isinstance(value, str) for value in detail.values())
    assert set().union(*details) == schema["properties"].keys()


def test_the_user_reference_is_computed_as_the_document_says(invoke: Invoke) -> None:
    module: dict[str, Any] = {}
    exec(code_block("The user reference", "python"), module)
    reference = module["reference"]

    assert invoke(RESET, {"username": "Andre\u0301@Example.com"}).log["user"] == (
        reference(CLIENT_SECRET, "andr\u00e9@example.com")
    )
    assert invoke(UPDATE).log["user"] == reference(CLIENT_SECRET, SUB)
