"""Attempts are counted before Cognito is asked, so known and unknown users look the same."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_dynamodb import DynamoDBClient

from functions.aws import clients
from functions.aws.actions import ACTIONS
from functions.aws.cognito import POLICY_PAUSE
from functions.operations import Operation
from functions.problems import NETWORK_ATTEMPTS_EXCEEDED
from functions.protection.limits import FAILURES_BEFORE_EVENT, REFUSALS_BEFORE_EVENT
from tests.support.contract import WITH_BODY, assert_is_problem, ids
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, NOW, SETTINGS, SUB, USERNAME, Clock
from tests.unit.conftest import Configure, Invoke, Service, put, sent

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
NAME = SETTINGS.table_name
WRONG = "Incorrect username or password."
pytestmark = pytest.mark.usefixtures("limited")


@pytest.fixture
def limited(configure: Configure, dynamodb: DynamoDBClient) -> DynamoDBClient:
    configure(limits=True)
    return dynamodb


@contextmanager
def asked(table: DynamoDBClient, refuse: str = "none") -> Iterator[list[object]]:
    """The updates that the table is asked for; it fails those that have the bound `refuse`."""

    def see(params: dict[str, Any], **_: object) -> None:
        updates.append(params)
        if params["ExpressionAttributeValues"][":bound"] == {"N": refuse}:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")

    updates: list[object] = []
    event = "provide-client-params.dynamodb.UpdateItem"
    table.meta.events.register(event, see)
    yield updates
    table.meta.events.unregister(event, see)


def from_address(address: str) -> dict[str, Any]:
    return {"requestContext": {"requestId": "r", "identity": {"sourceIp": address}}}


@pytest.mark.parametrize(("operation", "limit"), [(RESET, 5), (CONFIRM, 10), (UPDATE, 10)], ids=ids)
def test_allows_the_limit_and_then_says_when_to_try_again(
    operation: Operation, limit: int, service: Service
) -> None:
    statuses = [service.invoke(operation).status for _ in range(limit)]

    reply = service.invoke(operation)

    assert set(statuses) <= {200, 204}
    assert (reply.status, reply.body["code"]) == (429, "LimitExceededException")
    assert 0 < int(reply.headers["Retry-After"]) <= 3600
    assert reply.log["cause"] == "AttemptsLimit"
    done = service.cognito.take_messages() if operation.queued else sent(service.cognito, operation)
    assert len(done) == limit


def test_tells_the_true_time_to_the_end_of_the_window(clock: Clock, invoke: Invoke) -> None:
    *_, refused = (invoke(RESET) for _ in range(6))

    clock.now += int(refused.headers["Retry-After"]) - 1
    assert invoke(RESET).status == 429
    clock.now += 1
    assert [invoke(RESET).status for _ in range(6)] == [200] * 5 + [429]


def test_counts_a_wrong_old_password_wherever_it_is_tried(service: Service) -> None:
    service.cognito.answer("ChangePassword", error="NotAuthorizedException", message=WRONG)

    statuses = [service.invoke(UPDATE).status for _ in range(11)]

    assert statuses == [403] * 10 + [429]


IPV4_FORMS = ("{}", "::ffff:{}", "64:ff9b::{}", "64:ff9b:1:2::{}")
"""IPv4 itself, in a mapped address, and translated by NAT64 with its two prefixes."""


@pytest.mark.parametrize("form", IPV4_FORMS)
def test_nobody_is_locked_out_from_another_address(form: str, invoke: Invoke) -> None:
    for _ in range(6):
        refused = invoke(RESET, **from_address(form.format("192.0.2.1"))).status

    assert refused == 429
    assert invoke(RESET, **from_address(form.format("192.0.2.2"))).status == 200


@pytest.mark.parametrize(
    ("addresses", "limit"),
    [
        (["192.0.2.3"], 6),
        (["2001:db8::1", "2001:db8::ffff:1"], 6),
        ([f"2001:db8:0:{n}::1" for n in range(10)], 8),
        ([f"2001:db8:{n}::1" for n in range(10)], None),
        ([f"192.0.2.{n}" for n in range(10)], None),
    ],
    ids=["an address", "a /64", "a /48", "many networks", "many addresses"],
)
def test_a_network_has_a_limit_over_all_names(
    addresses: list[str], limit: int | None, service: Service
) -> None:
    service.configure(limits=True, attempts_per_address=6, attempts_per_network=8)

    replies = [
        service.invoke(
            RESET, {"username": f"user{n}"}, **from_address(addresses[n % len(addresses)])
        )
        for n in range(10)
    ]

    passed = 10 if limit is None else limit
    assert [reply.status for reply in replies] == [200] * passed + [429] * (10 - passed)
    for reply in replies[passed:]:
        assert_is_problem(reply, 429, "LimitExceededException")
        assert reply.body["type"] == NETWORK_ATTEMPTS_EXCEEDED.type
        assert "this network" in reply.text
        assert 0 < int(reply.headers["Retry-After"]) <= 3600


def test_the_limits_and_the_widths_of_networks_are_settings(service: Service) -> None:
    def refusals(*addresses: str, **changes: Any) -> list[int]:
        service.configure(limits=True, pseudonym_key=str(changes), **changes)
        replies = [service.invoke(RESET, **from_address(address)) for address in addresses]
        return [n for n, reply in enumerate(replies) if reply.status == 429]

    assert refusals(*["192.0.2.3"] * 3, reset_password_attempts=2) == [2]
    same_56 = ["2001:db8:0:a1::", "2001:db8:0:a2::"]
    assert refusals(*same_56, reset_password_attempts=1) == []
    assert refusals(*same_56, reset_password_attempts=1, ipv6_address_prefix=56) == [1]
    same_40 = ["2001:db8:a1::", "2001:db8:a2::"]
    assert refusals(*same_40, attempts_per_network=1) == []
    assert refusals(*same_40, attempts_per_network=1, ipv6_network_prefix=40) == [1]


def test_only_refused_confirmations_count_against_a_network(service: Service) -> None:
    service.configure(limits=True, attempts_per_address=3, attempts_per_network=4)

    def confirm(subnet: int, n: int) -> int:
        body = BODIES[CONFIRM] | {"username": f"user{n}"}
        return service.invoke(CONFIRM, body, **from_address(f"2001:db8:0:{subnet}::1")).status

    assert [confirm(0, n) for n in range(6)] == [204] * 6
    service.cognito.answer("ConfirmForgotPassword", error="CodeMismatchException")
    assert [confirm(0, n) for n in range(4)] == [400] * 3 + [429]
    assert [confirm(1, n) for n in range(2)] == [400, 429]


def test_a_success_holds_even_if_the_table_cannot_give_the_count_back(
    limited: DynamoDBClient, service: Service
) -> None:
    with asked(limited, refuse="0") as updates:
        reply = service.invoke(CONFIRM, **from_address("2001:db8::1"))

    assert (reply.status, reply.metrics) == (204, {"Success", "LimitsFailed"})
    assert len(updates) == 3 + 2


def repeated(cognito: CognitoFront) -> list[dict[str, str]]:
    """The accounts that the bus was told about."""
    told = [one for one in put(cognito) if one["DetailType"] == "Attempts Exceeded Repeatedly"]
    return [json.loads(one["Detail"]) for one in told]


@pytest.mark.parametrize("operation", WITH_BODY, ids=ids)
def test_an_account_that_is_refused_again_and_again_is_told_about_once(
    operation: Operation, service: Service
) -> None:
    service.configure(limits=True, event_bus_name="the-bus")
    addresses = cycle([from_address("192.0.2.1"), from_address("192.0.2.2")])

    def be_refused(times: int) -> None:
        while times:
            times -= (
                service.invoke(operation, **{} if operation.signed_in else next(addresses)).status
                == 429
            )
        service.work()

    be_refused(REFUSALS_BEFORE_EVENT - 1)
    assert repeated(service.cognito) == []
    be_refused(1)
    be_refused(REFUSALS_BEFORE_EVENT)

    (detail,) = repeated(service.cognito)
    name = {"sub": SUB} if operation.signed_in else {"username": USERNAME}
    assert name.items() <= detail.items()


def test_guessing_from_many_addresses_is_told_about_once_and_refuses_nobody(
    service: Service,
) -> None:
    service.configure(limits=True, event_bus_name="the-bus")
    service.cognito.answer(CONFIRM.action, error="CodeMismatchException")

    replies = [service.invoke(CONFIRM, **from_address(f"192.0.2.{n % 12}")) for n in range(120)]
    service.work()

    assert {reply.status for reply in replies} == {400}
    seen = [n for n, reply in enumerate(replies, 1) if "RepeatedFailures" in reply.metrics]
    assert seen == [FAILURES_BEFORE_EVENT]
    (told,) = put(service.cognito)
    assert told["DetailType"] == "Attempts Failed Repeatedly"
    detail = json.loads(told["Detail"])
    assert (detail["username"], detail["sub"]) == (USERNAME, SUB)


@pytest.mark.parametrize("operation", [RESET, CONFIRM], ids=ids)
def test_only_the_worker_finds_out_whether_the_name_in_an_event_has_a_user(
    operation: Operation, service: Service
) -> None:
    """Nobody can see what it does. The function asks the same of AWS for every name."""
    asked, told = {}, {}
    for exists in (True, False):
        service.cognito.reset()
        service.configure(limits=True, event_bus_name="the-bus", confirm_reset_password_attempts=5)
        if not exists:
            service.cognito.answer("AdminGetUser", error="UserNotFoundException")
        service.cognito.answer(CONFIRM.action, error="CodeMismatchException")
        body = BODIES[operation] | {"username": f"{exists}@example.com"}
        while service.invoke(operation, body, **from_address(f"192.0.2.{exists:d}")).status != 429:
            pass
        for _ in range(REFUSALS_BEFORE_EVENT - 1):
            service.invoke(operation, body, **from_address(f"192.0.2.{exists:d}"))
        asked[exists] = sorted(one.action for one in service.cognito.requests)
        service.work()
        (told[exists],) = repeated(service.cognito)

    assert asked[True] == asked[False]
    assert told[True].pop("sub") == SUB
    assert told[True].keys() == told[False].keys()


@pytest.mark.parametrize("bus", ["", "the-bus"])
def test_such_an_account_is_told_about_without_the_queue_too_if_there_is_a_bus(
    bus: str, service: Service
) -> None:
    service.configure(limits=True, event_bus_name=bus, update_password_attempts=1)
    service.cognito.fail_queue(error="RequestThrottled")

    for _ in range(1 + REFUSALS_BEFORE_EVENT):
        service.invoke(UPDATE)

    assert len(repeated(service.cognito)) == bool(bus)
    assert bool(service.cognito.messages) == bool(bus)


def test_no_event_names_an_account_for_what_its_network_did(service: Service) -> None:
    service.configure(
        limits=True, event_bus_name="the-bus", attempts_per_address=1, reset_password_attempts=50
    )

    statuses = [service.invoke(RESET).status for _ in range(REFUSALS_BEFORE_EVENT + 1)]
    service.work()

    assert statuses == [200] + [429] * REFUSALS_BEFORE_EVENT
    assert repeated(service.cognito) == []


@pytest.mark.parametrize(
    ("names", "addresses"),
    [
        (["demo@example.com"], ["2001:db8::1", "2001:db8::ffff:1"]),
        (["Demo@example.com", "demo@EXAMPLE.com"], ["192.0.2.4"]),
        (["andr\u00e9", "andre\u0301"], ["192.0.2.5"]),
        (["ada"], [form.format("192.0.2.6") for form in IPV4_FORMS]),
        (["ada"], ["test-invoke-source-ip"]),
    ],
)
def test_counts_what_is_the_same_together(
    names: list[str], addresses: list[str], service: Service
) -> None:
    statuses = [
        service.invoke(
            RESET,
            {"username": names[n % len(names)]},
            **from_address(addresses[n % len(addresses)]),
        ).status
        for n in range(6)
    ]

    assert statuses == [200] * 5 + [429]


def test_the_table_holds_neither_a_name_nor_an_address(
    limited: DynamoDBClient, service: Service
) -> None:
    service.invoke(CONFIRM)
    service.invoke(RESET)

    items = limited.scan(TableName=NAME)["Items"]

    assert len(items) == 4
    assert not [v for v in ("demo", "example", "192.0.2", "482916", "quiet") if v in str(items)]
    assert all(int(item["expiration"]["N"]) == NOW + 3600 for item in items)


@pytest.mark.parametrize("operation", WITH_BODY, ids=ids)
def test_continues_without_the_table_and_asks_it_once_for_each_count(
    operation: Operation, dynamodb: DynamoDBClient, service: Service
) -> None:
    service.configure(limits=True, table_name="a-table-that-is-not-there")

    with asked(dynamodb) as updates:
        reply = service.invoke(operation)

    counts = 1 if operation.signed_in else 2
    assert (reply.status in {200, 204}, len(updates)) == (True, counts)
    assert reply.metrics == {"Success", "LimitsFailed"}
    assert reply.log["level"] == "WARNING"


def test_a_refusal_holds_even_if_the_table_cannot_count_it(
    limited: DynamoDBClient, service: Service
) -> None:
    for _ in range(5):
        service.invoke(RESET)

    with asked(limited, refuse=str(REFUSALS_BEFORE_EVENT)) as updates:
        reply = service.invoke(RESET)

    assert (reply.status, len(updates)) == (429, 2 + 1 + 1)
    assert reply.metrics == {"LimitExceededException", "AttemptsLimit", "LimitsFailed"}


def test_a_malformed_request_is_no_attempt(invoke: Invoke) -> None:
    for _ in range(10):
        invoke(CONFIRM, raw=json.dumps(BODIES[CONFIRM] | {"newPassword": "short"}))

    assert_is_problem(
        invoke(CONFIRM, BODIES[CONFIRM] | {"username": ""}),
        400,
        "EmptyConfirmResetPasswordUsername",
    )
    assert invoke(CONFIRM).status == 204


@pytest.mark.parametrize(
    ("operation", "action"),
    [(RESET, "SendMessage"), (CONFIRM, "DescribeUserPoolClient"), (CONFIRM, "DescribeUserPool")],
    ids=ids,
)
def test_what_never_reached_cognito_is_no_attempt(
    operation: Operation, action: str, service: Service
) -> None:
    service.cognito.answer(action, error="TooManyRequestsException")

    replies = [service.invoke(operation) for _ in range(operation.attempts_per_hour + 1)]
    service.cognito.reset()
    service.clock.now += POLICY_PAUSE

    assert {reply.status for reply in replies} == {503}
    assert service.invoke(operation).status < 300


def test_an_update_that_finds_no_connection_to_cognito_is_no_attempt(service: Service) -> None:
    service.cognito.refuse()

    statuses = {service.invoke(UPDATE).status for _ in range(UPDATE.attempts_per_hour + 1)}
    service.cognito.reset()

    assert statuses == {503}
    assert service.invoke(UPDATE).status == 204


@pytest.mark.parametrize("error", ["TooManyRequestsException", "ThrottlingException"])
@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
def test_what_cognito_throttles_is_an_attempt(
    operation: Operation, error: str, service: Service
) -> None:
    """Or else the throttle would lift the limit that protects Cognito's quota."""
    service.cognito.answer(operation.action, error=error)

    replies = [service.invoke(operation) for _ in range(operation.attempts_per_hour + 5)]

    assert len(sent(service.cognito, operation)) == operation.attempts_per_hour
    assert {reply.log["cause"] for reply in replies[-5:]} == {"AttemptsLimit"}


LOOKED_UP = {CONFIRM: "AdminGetUser", UPDATE: "GetUser"}


@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
@pytest.mark.parametrize("password", ["weak", "a quiet harbour in May"])
def test_nothing_is_asked_about_a_user_for_a_weak_password_or_above_the_limit(
    password: str, operation: Operation, service: Service
) -> None:
    service.configure(limits=True, **{f"{operation.id}_attempts": 1})
    service.cognito.answer(operation.action, error="LimitExceededException")
    service.invoke(operation)
    service.cognito.take(LOOKED_UP[operation])

    body = BODIES[operation] | {"newPassword": password}
    statuses = {service.invoke(operation, body).status for _ in range(20)}

    assert statuses == {400 if password == "weak" else 429}
    assert service.cognito.take(LOOKED_UP[operation]) == []


def test_an_update_that_cognito_was_asked_about_is_an_attempt(service: Service) -> None:
    named = BODIES[UPDATE] | {"newPassword": f"I am {USERNAME}"}

    statuses = [service.invoke(UPDATE, named).status for _ in range(11)]

    assert statuses == [400] * 10 + [429]


def test_what_was_asked_about_a_user_is_an_attempt_even_if_it_cannot_go_on(
    service: Service,
) -> None:
    """The secret is rotated, and cannot be read again."""
    service.configure(limits=True, confirm_reset_password_attempts=2)
    service.invoke(CONFIRM)
    rotated = "Unable to verify secret hash"
    service.cognito.answer(CONFIRM.action, error="NotAuthorizedException", message=rotated)
    service.cognito.answer("DescribeUserPoolClient", error="TooManyRequestsException")

    assert [service.invoke(CONFIRM).status for _ in range(2)] == [503, 429]


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1"])
def test_a_refusal_takes_nothing_from_any_limit(address: str, service: Service) -> None:
    caller = from_address(address)
    service.configure(limits=True, attempts_per_address=2, attempts_per_network=3)
    body = BODIES[RESET] | {"username": "another"}

    def items() -> dict[str, int]:
        table = clients.find_client(ACTIONS["UpdateItem"].client)
        rows = table.scan(TableName=NAME)["Items"]
        return {row["id"]["S"]: int(row["attempts"]["N"]) for row in rows}

    for username in ("ada", "eve"):
        service.invoke(RESET, {"username": username}, **caller)
    before = items()
    refused = service.invoke(RESET, body, **caller)

    assert refused.body["type"] == NETWORK_ATTEMPTS_EXCEEDED.type
    assert {item: count for item, count in items().items() if count} == before
