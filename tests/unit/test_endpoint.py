"""The common parts of every operation: CORS, the client's secret, the log line, the metrics."""

import hmac
import json
from base64 import b64encode
from typing import Any

import pytest

from functions import problems
from functions.aws.actions import of_operation
from functions.operations import Operation
from tests.support.contract import WITH_BODY, assert_is_problem, ids
from tests.support.front import CLIENT_SECRET
from tests.support.invocation import BODIES, CLIENT_ID, NOW, ORIGIN, REQUEST_ID
from tests.unit.conftest import Invoke, Service, after, sent

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)
public = pytest.mark.parametrize(
    "operation", [one for one in WITH_BODY if not one.signed_in and not one.queued], ids=ids
)
with_secret = pytest.mark.parametrize(
    "operation", [one for one in Operation if one.uses_client_secret and not one.queued], ids=ids
)


@each_operation
@pytest.mark.parametrize("raw", [None, "{"], ids=["success", "failure"])
def test_lets_an_allowed_origin_read_the_answer(
    operation: Operation, raw: str | None, service: Service
) -> None:
    headers = service.invoke(operation, raw=raw).headers

    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Vary"] == "Origin"
    assert headers["Access-Control-Expose-Headers"] == problems.EXPOSED


@each_operation
@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        *((one, [ORIGIN]) for one in ("", "null", "*", f"{ORIGIN}.evil.example", ORIGIN.upper())),
        *((ORIGIN, allowed) for allowed in ([], ["https://other.example"])),
    ],
)
def test_lets_no_other_origin_read_the_answer(
    operation: Operation, origin: str, allowed: list[str], service: Service
) -> None:
    service.configure(allowed_origins=allowed)

    headers = service.invoke(operation, headers={"Origin": origin}).headers

    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Vary"] == "Origin"


@with_secret
def test_proves_to_cognito_that_the_client_asks(operation: Operation, service: Service) -> None:
    service.invoke(operation)

    (request,) = sent(service.cognito, operation)
    message = f"demo@example.com{CLIENT_ID}".encode()
    expected = b64encode(hmac.digest(CLIENT_SECRET.encode(), message, "sha256")).decode()
    assert request.body["SecretHash"] == expected
    assert "authorization" not in request.headers


REFUSAL = f"Unable to verify secret hash for client {CLIENT_ID}"


@with_secret
def test_reads_the_secret_again_once_after_it_was_rotated(
    operation: Operation, service: Service
) -> None:
    action = operation.action
    service.cognito.answer(action, error="NotAuthorizedException", message=REFUSAL, times=1)
    old = {"ClientId": CLIENT_ID, "ClientSecret": "rotated away"}
    service.cognito.answer("DescribeUserPoolClient", body={"UserPoolClient": old}, times=1)

    reply = service.invoke(operation)

    (first, second) = (r.body["SecretHash"] for r in service.cognito.requests if r.action == action)
    assert reply.status < 300
    assert first != second


@with_secret
def test_a_secret_that_stays_wrong_is_our_fault_for_every_user(
    operation: Operation, service: Service
) -> None:
    action = operation.action
    service.cognito.answer(action, error="NotAuthorizedException", message=REFUSAL)

    reply = service.invoke(operation)

    assert_is_problem(reply, 500, "InternalErrorException")
    assert reply.log["cause"] == "WrongSecretHash"
    actions = [r.action for r in service.cognito.requests]
    kept = [one for one in actions if one in {"DescribeUserPoolClient", action}]
    assert kept == ["DescribeUserPoolClient", action] * 2


@with_secret
@pytest.mark.parametrize("error", ["AccessDeniedException", "InvalidParameterException"])
def test_an_unreadable_secret_is_our_fault_for_every_user(
    operation: Operation, error: str, service: Service
) -> None:
    service.cognito.answer("DescribeUserPoolClient", error=error)

    reply = service.invoke(operation)

    assert_is_problem(reply, 500, "InternalErrorException")
    assert reply.log["cause"] == f"DescribeUserPoolClient.{error}"
    assert sent(service.cognito, operation) == []


@with_secret
def test_asks_for_a_public_client_without_a_hash(operation: Operation, service: Service) -> None:
    service.cognito.answer("DescribeUserPoolClient", body={"UserPoolClient": {}})

    reply = service.invoke(operation)

    (request,) = sent(service.cognito, operation)
    assert reply.status < 300
    assert "SecretHash" not in request.body


@each_operation
def test_writes_one_log_line_that_says_who_asked_and_what_came_of_it(
    operation: Operation, service: Service
) -> None:
    log = service.invoke(operation).log

    assert log["level"] == "INFO"
    assert (log["message"], log["operation"]) == (operation.log_message, operation.id)
    assert log["outcome"] == "Success"
    assert log["request_id"] == REQUEST_ID
    assert log["pool"].startswith("us-east-1_Tests")
    assert (log["source_ip"], log["user_agent"]) == ("192.0.2.7", "tests")


def test_forgets_one_request_before_the_next(invoke: Invoke) -> None:
    invoke(RESET, raw="{")

    assert invoke(RESET).log.keys() & {"rules", "cause", "note"} == set()


@pytest.mark.parametrize(("cognito_takes", "lasts"), [(0.0, 0.0), (0.25, 2.0), (2.5, 4.0)])
@pytest.mark.parametrize("error", ["UserNotFoundException", "TooManyRequestsException"])
def test_a_refusal_of_cognito_waits_for_the_next_multiple_of_the_interval(
    error: str, cognito_takes: float, lasts: float, service: Service
) -> None:
    service.configure(response_interval=2.0)
    service.cognito.respond = after(service.clock, cognito_takes, error)

    reply = service.invoke(CONFIRM)

    assert service.clock.now - NOW == lasts
    assert reply.log["duration"] == cognito_takes, "it is the function's own time"


@pytest.mark.parametrize(
    ("raw", "changes"),
    [
        (None, {}),
        ("{", {}),
        (json.dumps(BODIES[CONFIRM] | {"newPassword": "weak"}), {}),
        (None, {"reveal_user_existence": True}),
    ],
    ids=["success", "malformed", "weak password", "revealed"],
)
def test_nothing_else_waits(raw: str | None, changes: dict[str, Any], service: Service) -> None:
    service.configure(response_interval=2.0, **changes)
    service.cognito.respond = after(
        service.clock, 0.25, "UserNotFoundException" if changes else None
    )

    service.invoke(CONFIRM, raw=raw)

    assert service.clock.now - NOW in {0.0, 0.25}


@public
@pytest.mark.parametrize(
    ("threat_protection", "data"), [(True, {"IpAddress": "192.0.2.7"}), (False, None)]
)
def test_tells_cognito_the_callers_address_where_it_rates_risks(
    operation: Operation, threat_protection: bool, data: dict[str, str] | None, service: Service
) -> None:
    service.configure(threat_protection=threat_protection)

    service.invoke(operation, headers={"X-Forwarded-For": "203.0.113.9"})

    (request,) = sent(service.cognito, operation)
    assert request.body.get("UserContextData") == data


def test_the_log_knows_a_user_again_but_not_by_name(invoke: Invoke) -> None:
    first = invoke(RESET, {"username": "Demo@Example.com"})
    second = invoke(CONFIRM, BODIES[CONFIRM])
    other = invoke(RESET, {"username": "eve@example.com"})

    assert first.log["user"] == second.log["user"] != other.log["user"]
    assert "demo@" not in (first.printed + second.printed).lower()


@each_operation
def test_a_start_reads_what_the_first_request_needs(operation: Operation, service: Service) -> None:
    service.configure(breach_endpoint="https://127.0.0.1:9/range", event_bus_name="the-bus")
    service.deployment.handler(operation).start()

    read = [request.action for request in service.cognito.requests]
    actions = [one.name for one in of_operation(operation, service.deployment.settings)]
    assert sorted(read) == sorted(action for action in actions if action.startswith("Describe"))
    service.cognito.reset()
    service.invoke(operation)
    assert not [r for r in service.cognito.requests if r.action.startswith("Describe")]


@each_operation
def test_a_start_survives_what_it_cannot_read(operation: Operation, service: Service) -> None:
    service.configure(limits=True)
    for action in ("DescribeUserPoolClient", "DescribeUserPool", "GetItem"):
        service.cognito.answer(action, error="TooManyRequestsException", times=1)

    service.deployment.handler(operation).start()

    service.cognito.reset()
    assert service.invoke(operation).status < 300
