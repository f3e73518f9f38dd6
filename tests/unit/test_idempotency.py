"""A client that lost the answer repeats its request with the same key and gets the first answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Barrier, Lock
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from functions.aws import clients
from functions.aws.actions import ACTIONS
from functions.aws.cognito import POLICY_LIFETIME
from functions.aws.table import CONNECTIONS
from functions.operations import Operation
from functions.protection.limits import REFUSALS_BEFORE_EVENT, WINDOW
from tests.support import PATIENCE
from tests.support.contract import assert_is_problem, ids
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, NOW, Reply
from tests.unit.conftest import Invoke, Service, sent
from tests.unit.test_limits import NAME, WRONG, repeated

CONFIRM, UPDATE = Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD
pytestmark = pytest.mark.usefixtures("dynamodb")
changing = pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


def repeatable(invoke: Invoke, operation: Operation, key: str = KEY, **changes: Any) -> Reply:
    return invoke(operation, headers={"Idempotency-Key": key}, **changes)


@changing
def test_a_repeat_gets_the_first_answer(operation: Operation, service: Service) -> None:
    first = repeatable(service.invoke, operation)
    service.cognito.answer(operation.action, error="ExpiredCodeException")

    second = repeatable(service.invoke, operation)

    assert first[:3] == second[:3]
    assert (second.status, len(sent(service.cognito, operation))) == (204, 1)
    assert ("repeated" in first.log, second.log["repeated"]) == (False, True)
    assert [r.action for r in service.cognito.requests].count("AdminUserGlobalSignOut") == (
        operation is CONFIRM
    )


@changing
def test_without_the_header_nothing_is_kept(
    operation: Operation, dynamodb: DynamoDBClient, service: Service
) -> None:
    service.invoke(operation)
    service.invoke(operation)

    assert len(sent(service.cognito, operation)) == 2
    assert dynamodb.scan(TableName=NAME)["Count"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"key": "another"},
        {"body": BODIES[CONFIRM] | {"newPassword": "another long password"}},
        {"body": BODIES[CONFIRM] | {"username": "eve@example.com"}},
    ],
    ids=["key", "body", "user"],
)
def test_another_request_is_no_repeat(change: dict[str, Any], service: Service) -> None:
    repeatable(service.invoke, CONFIRM)

    repeatable(service.invoke, CONFIRM, **change)

    assert len(sent(service.cognito, CONFIRM)) == 2


@changing
def test_a_definite_failure_is_not_kept(operation: Operation, service: Service) -> None:
    service.cognito.answer(operation.action, error="NotAuthorizedException", message=WRONG, times=1)
    first = repeatable(service.invoke, operation)

    second = repeatable(service.invoke, operation)

    assert (first.status >= 400, second.status) == (True, 204)


@changing
def test_a_refusal_by_a_rule_is_not_kept(operation: Operation, service: Service) -> None:
    stricter = {"UserPool": {"Policies": {"PasswordPolicy": {"MinimumLength": 99}}}}
    service.cognito.answer("DescribeUserPool", body=stricter, times=1)
    first = repeatable(service.invoke, operation)
    service.clock.now += POLICY_LIFETIME

    second = repeatable(service.invoke, operation)

    assert (first.rules, second.status) == ({("#/newPassword", "minLength")}, 204)


@changing
def test_a_change_stays_stored_if_what_follows_it_crashes(
    operation: Operation, service: Service
) -> None:
    service.configure(event_bus_name="the-bus")
    nonsense = {"Failed": [{"Id": "of no entry"}]}
    service.cognito.answer("SendMessageBatch", body=nonsense, times=1)
    first = repeatable(service.invoke, operation)

    second = repeatable(service.invoke, operation)

    assert (first.status, second.status) == (500, 204)
    assert len(sent(service.cognito, operation)) == 1


@changing
def test_an_unknown_outcome_is_kept_and_says_so(operation: Operation, service: Service) -> None:
    service.cognito.answer(operation.action, reset=True, forward=True, times=1)
    first = repeatable(service.invoke, operation)

    second = repeatable(service.invoke, operation)

    assert_is_problem(first, 504, "InternalErrorException")
    assert first[:3] == second[:3]
    assert "try to sign in" in second.body["recoverySuggestion"]
    assert len(sent(service.cognito, operation)) == 1


def interrupt(dynamodb: DynamoDBClient, until: float) -> None:
    """Put the only record into the state in which a killed or running function leaves it."""
    (item,) = dynamodb.scan(TableName=NAME)["Items"]
    del item["outcome"]
    item["in_progress_until"] = {"N": f"{until:.3f}"}
    dynamodb.put_item(TableName=NAME, Item=item)


@changing
def test_a_repeat_of_a_request_in_progress_is_told_to_wait(
    operation: Operation, dynamodb: DynamoDBClient, service: Service
) -> None:
    repeatable(service.invoke, operation)
    interrupt(dynamodb, until=NOW + 20)

    reply = repeatable(service.invoke, operation)

    assert_is_problem(reply, 409, "RequestInProgressException")
    assert len(sent(service.cognito, operation)) == 1


@changing
def test_the_guarantee_ends_with_the_time_of_a_function_that_was_killed(
    operation: Operation, dynamodb: DynamoDBClient, service: Service
) -> None:
    repeatable(service.invoke, operation)
    interrupt(dynamodb, until=NOW - 1)

    assert repeatable(service.invoke, operation).status == 204
    assert len(sent(service.cognito, operation)) == 2


@pytest.mark.parametrize("fails", [False, True], ids=["success", "failure"])
def test_a_table_that_fails_half_way_undoes_no_answer(
    fails: bool, dynamodb: DynamoDBClient, service: Service
) -> None:
    """The record in progress is put, and then nothing more can be written."""
    if fails:
        service.cognito.answer("ChangePassword", error="NotAuthorizedException", message=WRONG)

    writes = [f"before-parameter-build.dynamodb.{name}" for name in ("UpdateItem", "DeleteItem")]

    def refuse(**_: object) -> None:
        for write in writes:  # all tests share the client
            dynamodb.meta.events.unregister(write, refuse)
        dynamodb.delete_table(TableName=NAME)

    for write in writes:
        dynamodb.meta.events.register(write, refuse)

    reply = repeatable(service.invoke, UPDATE)

    assert reply.status == (403 if fails else 204)
    assert "IdempotencyFailed" in reply.metrics
    assert len(sent(service.cognito, UPDATE)) == 1


@changing
def test_a_repeat_comes_before_the_limits_and_takes_no_attempt(
    operation: Operation, dynamodb: DynamoDBClient, service: Service
) -> None:
    service.configure(limits=True)

    assert {repeatable(service.invoke, operation).status for _ in range(20)} == {204}
    assert service.invoke(operation).status == 204


@changing
def test_a_request_that_a_limit_refused_may_be_sent_again_with_its_key(
    operation: Operation, service: Service
) -> None:
    service.configure(limits=True, **{f"{operation.id}_attempts": 1})
    service.invoke(operation)
    refused = repeatable(service.invoke, operation)

    service.clock.now += WINDOW
    again = repeatable(service.invoke, operation)

    assert (refused.status, again.status) == (429, 204)
    assert "repeated" not in again.log


@changing
def test_repeats_above_the_limit_are_no_refusals(operation: Operation, service: Service) -> None:
    attempts = {f"{operation.id}_attempts": 1}
    service.configure(limits=True, event_bus_name="the-bus", **attempts)

    replies = [repeatable(service.invoke, operation) for _ in range(REFUSALS_BEFORE_EVENT + 1)]
    service.work()

    assert {reply.status for reply in replies} == {204}
    assert repeated(service.cognito) == []


def test_the_table_holds_nothing_of_the_request(dynamodb: DynamoDBClient, invoke: Invoke) -> None:
    repeatable(invoke, CONFIRM)

    items = str(dynamodb.scan(TableName=NAME)["Items"])

    assert [v for v in (*BODIES[CONFIRM].values(), KEY) if v in items] == []


def test_a_key_has_a_bounded_length(cognito: CognitoFront, invoke: Invoke) -> None:
    reply = repeatable(invoke, CONFIRM, key="k" * 256)

    assert_is_problem(reply, 400, "InvalidParameterException")
    assert reply.rules == {("Idempotency-Key", "maxLength")}
    assert cognito.requests == []
    # The other operations ignore the header.
    assert repeatable(invoke, Operation.RESET_PASSWORD, key="k" * 256).status == 200


@changing
def test_a_repeat_is_not_judged_by_a_policy_that_came_later(
    operation: Operation, service: Service
) -> None:
    repeatable(service.invoke, operation)
    stricter = {"UserPool": {"Policies": {"PasswordPolicy": {"MinimumLength": 99}}}}
    service.cognito.answer("DescribeUserPool", body=stricter)
    service.clock.now += POLICY_LIFETIME

    assert repeatable(service.invoke, operation).status == 204


def test_a_request_that_is_padded_is_in_progress_for_as_long(
    monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    """Or else a second request would find out when Cognito answered."""
    service.configure(response_interval=5.0)
    service.cognito.answer(CONFIRM.action, error="UserNotFoundException")
    meanwhile: list[int] = []

    def sleep(_: float) -> None:
        if not meanwhile:
            meanwhile.append(repeatable(service.invoke, CONFIRM).status)

    monkeypatch.setattr(service.clock, "sleep", sleep)

    assert repeatable(service.invoke, CONFIRM).status == 400
    assert meanwhile == [409]


@changing
def test_a_request_whose_stored_item_got_no_answer_does_not_meet_itself(
    operation: Operation, dynamodb: DynamoDBClient, service: Service
) -> None:
    """botocore repeats a call whose response is lost, although the table has acted."""
    puts: list[int] = []

    def lose_the_first(attempts: int, **_: object) -> Any:
        puts.append(attempts)
        return 0 if attempts == 1 else None

    dynamodb.meta.events.register("needs-retry.dynamodb.PutItem", lose_the_first)
    try:
        reply = repeatable(service.invoke, operation)
    finally:
        dynamodb.meta.events.unregister("needs-retry.dynamodb.PutItem", lose_the_first)

    assert puts == [1, 2]
    assert (reply.status, len(sent(service.cognito, operation))) == (204, 1)


@contextmanager
def at_the_same_time(*rounds: list[str]) -> Iterator[None]:
    """Let no call of a round go on before all calls of it are made."""
    barriers = [Barrier(len(actions)) for actions in rounds]
    lock = Lock()

    def wait(model: Any, **_: object) -> None:
        with lock:
            number = next(n for n, actions in enumerate(rounds) if model.name in actions)
            rounds[number].remove(model.name)
        barriers[number].wait(PATIENCE)

    actions = {action for actions in rounds for action in actions}
    events = {clients.find_client(ACTIONS[action].client).meta.events for action in actions}
    for one in events:
        one.register("before-call", wait)
    try:
        yield
    finally:
        for one in events:
            one.unregister("before-call", wait)
    assert not any(rounds)


@pytest.mark.parametrize(
    ("operation", "counts", "forgiven", "reads", "ends"),
    [
        (CONFIRM, 2, 1, ["AdminGetUser", "AdminListUserSessions"], "AdminUserGlobalSignOut"),
        (UPDATE, 1, 0, ["GetUser", "ListUserSessions"], "GlobalSignOut"),
    ],
    ids=ids,
)
def test_a_change_with_a_key_takes_four_rounds_of_calls(
    operation: Operation, counts: int, forgiven: int, reads: list[str], ends: str, service: Service
) -> None:
    service.configure(
        limits=True, event_bus_name="b", mail_from="a@example.com", **FORCED[operation]
    )
    service.deployment.handler(operation).start()

    with at_the_same_time(
        ["PutItem", *["UpdateItem"] * counts],
        [*reads],  # tests/unit/test_breaches.py has the breach lookup of this round
        [operation.action],
        [ends, "SendMessageBatch", "UpdateItem", *["UpdateItem"] * forgiven],
    ):
        reply = repeatable(service.invoke, operation)

    assert (reply.status, reply.metrics) == (204, {"Success"})


@pytest.mark.usefixtures("dynamodb")
def test_a_start_asks_for_everything_at_once_with_a_connection_for_each_call_of_the_first_round(
    service: Service,
) -> None:
    service.configure(limits=True)

    with at_the_same_time(
        ["DescribeUserPoolClient", "DescribeUserPool", *["GetItem"] * CONNECTIONS]
    ):
        service.deployment.handler(CONFIRM).start()


FORCED: dict[Operation, dict[str, Any]] = {CONFIRM: {}, UPDATE: {"force_global_sign_out": True}}
