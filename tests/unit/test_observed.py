"""The handlers write whatever the alarms, the dashboard and the saved queries read."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag

from apidocs.meanings import MEMBERS
from apidocs.openapi import possible_problems
from functions import outcomes
from functions.operations import Operation
from functions.protection.limits import FAILURES_BEFORE_EVENT
from functions.records import (
    HIDDEN,
    REPEATED_FAILURES,
    RETRIED,
    SUCCESS,
    Degradation,
)
from infra.api import ACCESS_LOG
from infra.queries import ACCESS_QUERIES, QUERIES
from tests.infra.conftest import synthesize, synthesize_stage
from tests.infra.test_observability import named, searched
from tests.support import ROOT
from tests.support.contract import WITH_BODY
from tests.support.front import CognitoFront, make_user
from tests.support.invocation import BODIES, REQUEST_ID, Reply, make_message
from tests.unit.conftest import Service, after, mock_table

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD

LANGUAGE = {
    *("and", "as", "asc", "by", "desc", "fields", "filter", "like", "limit", "or", "sort", "stats"),
    *("count", "count_distinct", "ispresent", "latest"),
}
"""The words of Logs Insights that the queries use."""


class World:
    """A service to which something happens, and what it answers then."""

    def __init__(self, cognito: CognitoFront, service: Service) -> None:
        self.cognito = cognito
        self.service = service

    def answer(self, operation: Operation, action: str, **script: Any) -> Reply:
        self.cognito.answer(action, **script)
        return self.service.invoke(operation)

    def sets(self, operation: Operation, **changes: Any) -> Reply:
        self.service.configure(**changes)
        return self.service.invoke(operation)

    def sends(self, operation: Operation, body: object = None, **changes: Any) -> Reply:
        return self.service.invoke(operation, body, **changes)

    def limited(self) -> Reply:
        self.service.configure(limits=True)
        return [self.sends(RESET) for _ in range(RESET.attempts_per_hour + 1)][-1]

    def named_by_an_address(self) -> Reply:
        user = make_user()
        self.cognito.answer("AdminGetUser", error="UserNotFoundException")
        found = [user | {"Username": "ann", "Attributes": user["UserAttributes"]}]
        return self.works(RESET, "ListUsers", body={"Users": found})

    def mailed(self, **script: Any) -> Reply:
        self.service.configure(mail_from="no-reply@example.com")
        return self.works(CONFIRM, "SendEmail", **script)

    def without_a_stored_response(self) -> Reply:
        self.service.configure(**NO_TABLE)
        return self.sends(CONFIRM, headers={"Idempotency-Key": "key"})

    def repeated(self) -> Reply:
        return [self.sends(CONFIRM, headers={"Idempotency-Key": "key"}) for _ in range(2)][-1]

    def works(self, operation: Operation, action: str, age: float = 0, **script: Any) -> Reply:
        """Return the worker's reply to a request, while an action fails."""
        self.cognito.answer(action, **script)
        self.service.invoke(operation)
        return self.service.work(age=age)

    def signed_in_elsewhere(self) -> Reply:
        self.cognito.answer("GlobalSignOut", error="InternalErrorException")
        return self.sends(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": True}})

    def without_an_event(self) -> Reply:
        self.cognito.answer("PutEvents", error="AccessDeniedException")
        self.cognito.fail_queue(error="AccessDenied")
        return self.sets(CONFIRM, event_bus_name="the-bus")

    def not_changed_yet(self) -> Reply:
        self.cognito.answer("AdminGetUser", body=make_user(changed_at=1e9))
        return self.works(CONFIRM, "ConfirmForgotPassword", reset=True)

    def at_a_dead_end(self, user: dict[str, Any]) -> Reply:
        self.service.configure(event_bus_name="the-bus")
        return self.works(RESET, "AdminGetUser", body=user)

    def reset_twice(self) -> Reply:
        self.service.configure(code_pause=60)
        return [self.service.finish(RESET) for _ in range(2)][-1]

    def slow_twice(self) -> Reply:
        self.cognito.respond = after(self.service.clock, 15, "UnexpectedLambdaException")
        self.service.invoke(RESET)
        return self.service.work(attempt=2)

    def guessed(self) -> Reply:
        self.service.configure(limits=True, confirm_reset_password_attempts=FAILURES_BEFORE_EVENT)
        self.cognito.answer(CONFIRM.action, error="CodeMismatchException")
        return [self.sends(CONFIRM) for _ in range(FAILURES_BEFORE_EVENT)][-1]

    def by_a_server(self, secret: str) -> Reply:
        self.service.configure(server_secret="the-secret")
        return self.sends(
            RESET, headers={"Caller-Secret": secret, "Caller-Address": "198.51.100.7"}
        )

    def asked_by_support(self) -> Reply:
        body = {"task": "clear_limits", "username": "ada", "request_id": "r"}
        message = make_message(json.dumps(body), queue="the-support-queue")
        return self.service.deployment.work(message)

    def crash(self) -> Reply:
        self.service.configure(allowed_origins=None)
        return self.sends(RESET)


LOGGED = {*MEMBERS}
CAUSES = [row.cause for row in outcomes.OURS]
OTHERS = [SUCCESS, HIDDEN, RETRIED, REPEATED_FAILURES]
NO_TABLE = {"limits": True, "table_name": "a-table-that-is-not-there"}
NO_BREACHES = {"breach_endpoint": "http://127.0.0.1:9/range"}
NOT_AUTHORIZED = "NotAuthorizedException"
WRONG_HASH = "Unable to verify secret hash for client"
type Scenario = Callable[[World], Reply]
SCENARIOS: dict[str, Scenario] = {
    "Success": lambda w: w.sends(RESET),
    "Hidden": lambda w: w.answer(CONFIRM, CONFIRM.action, error="UserNotFoundException"),
    "Retried": lambda w: w.works(RESET, RESET.action, error="CodeDeliveryFailureException"),
    outcomes.ATTEMPTS_LIMIT.cause: World.limited,
    outcomes.NOT_A_SIGN_IN_NAME.cause: World.named_by_an_address,
    outcomes.MAIL_REFUSED.cause: lambda w: w.mailed(error="BadRequestException"),
    outcomes.NO_SCOPE.cause: lambda w: w.sends(UPDATE, claims={"scope": "openid"}),
    outcomes.SIGN_IN_TOO_OLD.cause: lambda w: w.sends(
        UPDATE, {"newPassword": "a quiet harbour 12"}, claims={"auth_time": "1"}
    ),
    outcomes.NO_CALLER_ADDRESS.cause: lambda w: w.sends(RESET, requestContext={}),
    outcomes.NO_BEARER_TOKEN.cause: lambda w: w.sends(UPDATE, headers={"Authorization": ""}),
    outcomes.NO_ACCESS_TOKEN.cause: lambda w: w.sends(UPDATE, claims={"token_use": "id"}),
    outcomes.FOREIGN_POOL.cause: lambda w: w.sends(
        UPDATE, claims={"iss": "https://example.com/another"}
    ),
    outcomes.FOREIGN_CLIENT.cause: lambda w: w.sends(UPDATE, claims={"client_id": "another"}),
    outcomes.ANOTHER_TOKEN.cause: lambda w: w.sends(
        UPDATE, headers={"Authorization": "Bearer another"}
    ),
    outcomes.UNKNOWN_MEANING.cause: lambda w: w.answer(
        UPDATE, "ChangePassword", error=NOT_AUTHORIZED, message="New words"
    ),
    outcomes.WRONG_SECRET_HASH.cause: lambda w: w.answer(
        CONFIRM, CONFIRM.action, error=NOT_AUTHORIZED, message=WRONG_HASH
    ),
    outcomes.DAILY_MAIL_LIMIT.cause: lambda w: w.works(
        RESET, RESET.action, error="LimitExceededException", message="Exceeded daily email limit"
    ),
    outcomes.UNCONFIRMED.cause: lambda w: w.at_a_dead_end(
        make_user("UNCONFIRMED", email_verified="false")
    ),
    outcomes.INVITED.cause: lambda w: w.at_a_dead_end(make_user("FORCE_CHANGE_PASSWORD")),
    outcomes.FEDERATED.cause: lambda w: w.at_a_dead_end(make_user("EXTERNAL_PROVIDER")),
    outcomes.NO_VERIFIED_ADDRESS.cause: lambda w: w.at_a_dead_end(
        make_user(email_verified="false")
    ),
    outcomes.USER_GONE.cause: lambda w: w.works(
        CONFIRM, "AdminUserGlobalSignOut", error="UserNotFoundException"
    ),
    outcomes.NOT_CHANGED_YET.cause: World.not_changed_yet,
    outcomes.RESET_REPEATED.cause: World.reset_twice,
    outcomes.CODE_TIMED_OUT.cause: World.slow_twice,
    REPEATED_FAILURES: World.guessed,
    outcomes.MESSAGE_EXPIRED.cause: lambda w: w.works(RESET, RESET.action, age=700),
    "DescribeUserPoolClient.AccessDeniedException": lambda w: w.answer(
        CONFIRM, "DescribeUserPoolClient", error="AccessDeniedException"
    ),
    "ForeignAnswerError": lambda w: w.answer(CONFIRM, CONFIRM.action, body=b"<html>"),
    Degradation.LIMITS_FAILED: lambda w: w.sets(RESET, **NO_TABLE),
    Degradation.IDEMPOTENCY_FAILED: World.without_a_stored_response,
    Degradation.BREACH_CHECK_FAILED: lambda w: w.sets(CONFIRM, **NO_BREACHES),
    Degradation.POLICY_UNREADABLE: lambda w: w.answer(
        CONFIRM, "DescribeUserPool", error="AccessDeniedException"
    ),
    Degradation.NAMES_UNREADABLE: lambda w: w.answer(
        UPDATE, "GetUser", error="TooManyRequestsException"
    ),
    Degradation.SESSIONS_UNREADABLE: lambda w: w.answer(
        UPDATE, "ListUserSessions", error="TooManyRequestsException"
    ),
    Degradation.SIGN_OUT_DELAYED: World.signed_in_elsewhere,
    Degradation.QUEUE_FAILED: World.without_an_event,
    Degradation.EVENT_LOST: World.without_an_event,
    Degradation.UNKNOWN_EXCEPTION: lambda w: w.answer(CONFIRM, CONFIRM.action, error="New"),
    Degradation.WRONG_SERVER: lambda w: w.by_a_server("another"),
    "by a server": lambda w: w.by_a_server("the-secret"),
    "KeyError or TypeError": World.crash,
    "a malformed request": lambda w: w.sends(UPDATE, raw="{"),
    "a repeat": World.repeated,
    "the support desk": World.asked_by_support,
    "a message of Cognito": lambda w: w.service.deployment.write(
        json.loads((ROOT / "events/custom_message.json").read_text())
    ),
}
"""A way to each metric and to each member of the log line."""


@pytest.fixture(scope="module")
def replies(cognito: CognitoFront, service: Service) -> dict[str, Reply]:
    """The reply of each scenario, in one run in which everything happens once."""
    policy: Scenario = partial(World.sends, operation=Operation.PASSWORD_POLICY)
    scenarios = SCENARIOS | {"the policy": policy}
    for operation in WITH_BODY:
        possible = possible_problems(operation)
        scenarios |= {
            f"{operation.id} {row.cause}": partial(
                World.works if operation.queued else World.answer,
                operation=operation,
                action=operation.action,
                error=row.cause,
            )
            for row in outcomes.COGNITO
            if not row.text and row.problem in possible
        }
    replies = {}
    reset_cold_start_flag()  # type: ignore[no-untyped-call]
    with pytest.MonkeyPatch.context() as environment, mock_table():
        environment.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
        for name, scenario in scenarios.items():
            cognito.reset()
            service.configure()
            replies[name] = scenario(World(cognito, service))
    return replies


@pytest.fixture
def lines(replies: dict[str, Reply]) -> list[dict[str, Any]]:
    return [line for reply in replies.values() for line in reply.lines]


@pytest.mark.parametrize("name", [*CAUSES, *Degradation, *OTHERS])
def test_a_metric_is_emitted_for_what_it_stands_for(name: str, replies: dict[str, Reply]) -> None:
    reply = replies[name]

    assert name in reply.metrics
    assert (name in reply.log.get("degradations", [])) == (name in set(Degradation))


def test_the_log_line_has_every_member_that_is_declared_and_no_other(
    replies: dict[str, Reply],
) -> None:
    powertools = {
        *("level", "message", "timestamp", "service", "cold_start", "xray_trace_id"),
        *("function_name", "function_memory_size", "function_arn", "function_request_id"),
    }
    logged = set().union(*(reply.log for reply in replies.values()))
    assert logged - powertools == LOGGED


type Series = tuple[str, str, frozenset[tuple[str, str]]]


def series(namespace: str, name: str, dimensions: Mapping[str, str]) -> Series:
    """Without the function's name, which in a template is a reference."""
    whose = {k: "" if k == "function_name" else v for k, v in dimensions.items()}
    return namespace, name, frozenset(whose.items())


def emitted(lines: list[dict[str, Any]]) -> set[Series]:
    """Return the metrics that CloudWatch extracts from the lines."""
    return {
        series(directive["Namespace"], metric["Name"], {name: line[name] for name in names})
        for line in lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def test_a_metric_that_is_watched_is_one_that_is_emitted(lines: list[dict[str, Any]]) -> None:
    template = synthesize(stage="dev", allAlarms="true")  # the stage of the handlers here
    # CloudWatch makes this one of the access log.
    others = [metric for metric in named(template) if metric.name != "TooManyRequests"]
    ours = {series(*metric) for metric in others if not metric.namespace.startswith("AWS/")}

    assert ours <= emitted(lines)


def test_what_the_dashboard_searches_for_is_emitted(lines: list[dict[str, Any]]) -> None:
    found = [(namespace, dict(whose)) for namespace, _, whose in emitted(lines)]

    searches = searched(synthesize_stage("dev"))

    assert len(searches) == 1
    for space, names, values in searches:
        assert any(
            namespace == space and whose.keys() == names and whose.items() >= values.items()
            for namespace, whose in found
        )


def fields(query: str) -> set[str]:
    """Return the members of a log line that a query reads, without those that it makes itself."""
    query = re.sub(r'"[^"]*"|/[^/]*/', "", query)
    made = set(re.findall(r"\bas (\w+)", query))
    return set(re.findall(r"(?<![@\w.])[a-z_]\w*(?:\.\w+)?", query)) - LANGUAGE - made


def test_a_field_that_a_saved_query_names_is_logged(lines: list[dict[str, Any]]) -> None:
    """Logs Insights gives each member of a list a field of its own."""
    logged = {
        name
        for line in lines
        if "level" in line
        for member, value in line.items()
        for name in (
            [f"{member}.{n}" for n in range(len(value))] if isinstance(value, list) else [member]
        )
    }

    assert all(fields(query) for query in QUERIES.values())
    assert {name: fields(query) - logged for name, query in QUERIES.items()} == {
        name: set() for name in QUERIES
    }


@pytest.mark.parametrize("name", ACCESS_QUERIES)
def test_a_field_that_a_query_of_the_access_log_names_is_in_it(name: str) -> None:
    assert set() < fields(ACCESS_QUERIES[name]) <= ACCESS_LOG.keys()


def read(line: Mapping[str, Any], field: str) -> Any:
    """A field as Logs Insights finds it in a line of JSON, or None."""
    member, _, index = field.partition(".")
    value = json.dumps(line) if field == "@message" else line.get(member)
    return value if not index else next(iter((value or [])[int(index) :]), None)


def selects(condition: str, line: Mapping[str, Any]) -> bool:
    """Whether a line meets a condition, for the parts of the language that our queries use."""
    for word, combine in ((" or ", any), (" and ", all)):
        if len(parts := condition.split(word)) > 1:
            return combine(selects(part, line) for part in parts)
    if found := re.fullmatch(r"ispresent\(([\w.]+)\)", condition):
        return read(line, found[1]) is not None
    if found := re.fullmatch(r"(@?\w+) like /(.*)/", condition):
        return re.search(found[2], read(line, found[1])) is not None
    found = re.fullmatch(r"(\w+) (=|>=) (.+)", condition)
    assert found, condition
    value, wanted = read(line, found[1]), json.loads(found[3])
    return value is not None and (value == wanted if found[2] == "=" else value >= wanted)


def test_a_saved_query_counts_each_request_once_and_no_metric(lines: list[dict[str, Any]]) -> None:
    """A function writes two lines for a request: the log line, and one that CloudWatch counts."""
    logged = [line for line in lines if "level" in line]
    user = next(line["user"] for line in logged if "user" in line)
    counted: dict[str, Callable[[dict[str, Any]], bool]] = {
        "request": lambda line: line["request_id"] == REQUEST_ID,
        "failures": lambda line: line.get("status", 0) >= 500,
        "crashes": lambda line: "stack" in line,
        "worker": lambda line: line["operation"] == "worker",
        "support": lambda line: "sender" in line,
        "hidden": lambda line: "hidden" in line,
        "degradations": lambda line: bool(line.get("degradations")),
        "attacked users": lambda line: "user" in line,
        "attacking addresses": lambda line: "source_ip" in line,
        "slowest requests": lambda line: "duration" in line,
        "user": lambda line: line.get("user") == user,
    }
    assert len(logged) < len(lines)

    for name, query in QUERIES.items():
        filled = query.replace("the requestId", REQUEST_ID).replace("the user reference", user)
        (condition,) = re.findall(r"\bfilter ((?:/[^/]*/|[^|])+)", filled)
        found = [line for line in lines if selects(" ".join(condition.split()), line)]
        assert found == [line for line in logged if counted[name](line)] != [], name
