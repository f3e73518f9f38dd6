"""Attempts are counted before Cognito is asked, so that known and unknown users look alike."""

import json
import time
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from functions.operations import Operation
from tests.support.contract import assert_is_problem, ids
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, SETTINGS
from tests.unit.conftest import Configure, Invoke, sent

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
NAME = SETTINGS.table_name
WRONG = "Incorrect username or password."


@pytest.fixture
def limited(configure: Configure, dynamodb: DynamoDBClient) -> DynamoDBClient:
    configure(limits=True)
    return dynamodb


def from_address(address: str) -> dict[str, Any]:
    return {"requestContext": {"requestId": "r", "identity": {"sourceIp": address}}}


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(("operation", "limit"), [(RESET, 5), (CONFIRM, 10), (UPDATE, 10)], ids=ids)
def test_lets_so_many_attempts_pass_and_then_says_when_to_come_back(
    operation: Operation, limit: int, cognito: CognitoFront, invoke: Invoke
) -> None:
    statuses = [invoke(operation).status for _ in range(limit)]

    reply = invoke(operation)

    assert set(statuses) <= {200, 204}
    assert (reply.status, reply.body["code"]) == (429, "LimitExceededException")
    assert 0 < int(reply.headers["Retry-After"]) <= 3600
    assert reply.log["cause"] == "AttemptsLimit"
    done = cognito.take("SendMessage") if operation.queued else sent(cognito, operation)
    assert len(done) == limit


def test_tells_the_true_time_to_the_end_of_the_window(
    limited: DynamoDBClient, invoke: Invoke
) -> None:
    replies = [invoke(RESET) for _ in range(6)]

    ids = [item["id"]["S"] for item in limited.scan(TableName=NAME)["Items"]]
    ends = set()
    for _, key, window in (id_.split("#") for id_ in ids):
        offset = int(key[:8], 16) % 3600
        ends.add((int(window) + 1) * 3600 - offset - time.time())
    assert any(abs(int(replies[-1].headers["Retry-After"]) - end) < 2 for end in ends)


@pytest.mark.usefixtures("limited")
def test_limits_an_unknown_user_like_a_known_one(cognito: CognitoFront, invoke: Invoke) -> None:
    known = [invoke(RESET, {"username": "known@example.com"})[:1] for _ in range(7)]
    cognito.answer("ForgotPassword", error="UserNotFoundException")
    unknown = [invoke(RESET, {"username": "nobody@example.com"})[:1] for _ in range(7)]

    assert known == unknown


@pytest.mark.usefixtures("limited")
def test_counts_a_wrong_old_password_wherever_it_is_tried(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("ChangePassword", error="NotAuthorizedException", message=WRONG)

    statuses = [invoke(UPDATE).status for _ in range(11)]

    assert statuses == [403] * 10 + [429]


@pytest.mark.usefixtures("limited")
def test_nobody_is_locked_out_from_another_address(invoke: Invoke) -> None:
    for _ in range(6):
        refused = invoke(RESET, **from_address("192.0.2.1")).status

    assert refused == 429
    assert invoke(RESET, **from_address("192.0.2.2")).status == 200


@pytest.mark.usefixtures("limited")
def test_an_address_has_a_limit_over_all_names(invoke: Invoke) -> None:
    statuses = [
        invoke(RESET, {"username": f"user{n}@example.com"}, **from_address("192.0.2.3")).status
        for n in range(51)
    ]

    assert statuses == [200] * 50 + [429]


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("names", "addresses"),
    [
        (["demo@example.com"], ["2001:db8::1", "2001:db8::ffff:1"]),
        (["Demo@example.com", "demo@EXAMPLE.com"], ["192.0.2.4"]),
        (["andr\u00e9", "andre\u0301"], ["192.0.2.5"]),
        (["ada"], ["test-invoke-source-ip"]),
    ],
)
def test_counts_what_is_the_same_together(
    names: list[str], addresses: list[str], invoke: Invoke
) -> None:
    statuses = [
        invoke(
            RESET,
            {"username": names[n % len(names)]},
            **from_address(addresses[n % len(addresses)]),
        ).status
        for n in range(6)
    ]

    assert statuses == [200] * 5 + [429]


def test_the_table_holds_neither_a_name_nor_an_address(
    limited: DynamoDBClient, invoke: Invoke
) -> None:
    invoke(CONFIRM)
    invoke(RESET)

    items = limited.scan(TableName=NAME)["Items"]

    assert len(items) == 4
    assert not [v for v in ("demo", "example", "192.0.2", "482916", "quiet") if v in str(items)]
    assert all(int(item["expiration"]["N"]) > time.time() for item in items)


@pytest.mark.parametrize("operation", Operation, ids=ids)
def test_goes_on_without_the_table(
    operation: Operation, dynamodb: DynamoDBClient, configure: Configure, invoke: Invoke
) -> None:
    configure(limits=True, table_name="a-table-that-is-not-there")

    reply = invoke(operation)

    assert reply.status in {200, 204}
    assert reply.metrics == {"Success", "LimitsFailed"}
    assert reply.log["level"] == "WARNING"


@pytest.mark.usefixtures("limited")
def test_a_malformed_request_is_no_attempt(invoke: Invoke) -> None:
    for _ in range(10):
        invoke(CONFIRM, raw=json.dumps(BODIES[CONFIRM] | {"newPassword": "short"}))

    assert_is_problem(
        invoke(CONFIRM, BODIES[CONFIRM] | {"username": ""}),
        400,
        "EmptyConfirmResetPasswordUsername",
    )
    assert invoke(CONFIRM).status == 204
