"""What the gateway adds: its own failures, CORS and limits; and bodies that pass through it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.operations import Operation
from functions.problems import (
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    NOT_SIGNED_IN,
    REQUEST_TOO_LARGE,
    TOO_MANY_REQUESTS,
    UNSUPPORTED_MEDIA_TYPE,
)
from infra.settings import Deployment
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api, Fronts, acted
from tests.support.contract import WITH_BODY, ids
from tests.support.front import CognitoFront

ORIGIN = Deployment.of_stage("local").allowed_origins[0]
FOREIGN = "https://attacker.example"
with_body = pytest.mark.parametrize("operation", WITH_BODY, ids=ids)


@pytest.fixture
def token(stack: Stack, user: User) -> str:
    return stack.sign_in(user)["AccessToken"]


@pytest.mark.parametrize("path", ["/", "/sign-up", "/reset-password/again"])
def test_an_unknown_route_is_a_problem(api: Api, path: str) -> None:
    api.send("POST", path, "{}").check(NOT_FOUND)


@pytest.mark.parametrize("operation", Operation, ids=lambda operation: operation.id)
@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_an_unsupported_method_is_told_the_supported_one(
    api: Api, operation: Operation, method: str
) -> None:
    refused = api.send(method, operation.path)

    refused.check(METHOD_NOT_ALLOWED)
    assert operation.method in refused.headers["Allow"].split(", ")


@pytest.mark.parametrize("operation", Operation, ids=lambda operation: operation.id)
def test_a_browser_may_ask_before_it_sends(api: Api, operation: Operation) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": operation.method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }

    preflight = api.send("OPTIONS", operation.path, headers=headers)

    assert preflight.status in {200, 204}
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert operation.method in preflight.headers["Access-Control-Allow-Methods"]
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in preflight.headers


def test_an_allowed_origin_is_echoed_and_no_other(api: Api) -> None:
    body = {"username": "nobody@example.com"}

    allowed = api.post(Operation.RESET_PASSWORD, body, Origin=ORIGIN)
    foreign = api.post(Operation.RESET_PASSWORD, body, Origin=FOREIGN)

    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert allowed.headers["Vary"] == foreign.headers["Vary"] == "Origin"
    assert allowed.body == foreign.body


def test_a_script_may_read_the_gateways_own_failures(api: Api) -> None:
    refused = api.post(Operation.UPDATE_PASSWORD, {}, Origin=ORIGIN)

    refused.check(NOT_SIGNED_IN)
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


@pytest.fixture
def one_reset_a_minute(stack: Stack) -> Iterator[None]:
    with stack.throttled(Operation.RESET_PASSWORD, rate=0.016, burst=1):
        yield


@pytest.mark.usefixtures("one_reset_a_minute")
def test_a_caller_above_the_limit_is_told_when_to_return(api: Api, fronts: Fronts) -> None:
    body = {"username": "nobody@example.com"}

    assert api.post(Operation.RESET_PASSWORD, body).status == 200
    for _ in range(3):
        throttled = api.post(Operation.RESET_PASSWORD, body)

    throttled.check(TOO_MANY_REQUESTS)
    assert [request.action for request in fronts.queue.requests].count("SendMessage") == 1


MALFORMED: dict[str, tuple[str | bytes, str]] = {
    "no JSON": (b"username=ada", "json"),
    "nothing": (b"", "json"),
    "half of it": (b'{"username": "ada', "json"),
    "a list": (b"[]", "type"),
    "a string": (b'"demo@example.com"', "type"),
    "null": (b"null", "type"),
    "deep nesting": (b"[" * 20_000, "json"),
    "not a number of JSON": (b'{"username": NaN}', "json"),
    "a name twice": (b'{"username": "a", "username": "b"}', "uniqueNames"),
}


@pytest.mark.parametrize(("content", "rule"), MALFORMED.values(), ids=MALFORMED)
@with_body
def test_a_malformed_body_is_a_problem(
    api: Api, front: CognitoFront, token: str, operation: Operation, content: bytes, rule: str
) -> None:
    refused = api.post(operation, content=content, token=token if operation.signed_in else None)

    document = refused.check(INVALID_REQUEST)
    assert [error["rule"] for error in document["errors"]] == [rule]
    assert acted(front) == []


@with_body
def test_every_field_that_is_wrong_is_named(
    api: Api, front: CognitoFront, token: str, operation: Operation
) -> None:
    bodies: dict[Operation, dict[str, Any]] = {
        Operation.RESET_PASSWORD: {"username": "a\0b", "options": {"clientMetadata": {"a": 1}}},
        Operation.CONFIRM_RESET_PASSWORD: {
            "username": "a b",
            "newPassword": ["x"],
            "confirmationCode": "\ud800",
        },
        Operation.UPDATE_PASSWORD: {"oldPassword": 1, "newPassword": "x" * 257},
    }
    body = bodies[operation] | {"rememberMe": True}

    refused = api.post(operation, body, token=token if operation.signed_in else None)

    document = refused.check(INVALID_REQUEST)
    named = {error["pointer"].split("/")[1] for error in document["errors"]}
    assert named == set(body)
    assert acted(front) == []


@with_body
def test_a_body_of_megabytes_is_a_problem(
    api: Api, front: CognitoFront, token: str, operation: Operation
) -> None:
    content = json.dumps({"username": "a" * 2_000_000})

    refused = api.post(operation, content=content, token=token if operation.signed_in else None)

    refused.check(REQUEST_TOO_LARGE)
    assert acted(front) == []


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/json5"]
)
@with_body
def test_only_json_is_taken_since_other_posts_need_no_preflight(
    api: Api, front: CognitoFront, token: str, operation: Operation, media_type: str
) -> None:
    body = {"username": "demo@example.com", "oldPassword": OLD, "newPassword": NEW}

    refused = api.post(
        operation,
        body,
        token=token if operation.signed_in else None,
        Content_Type=media_type,
    )

    refused.check(UNSUPPORTED_MEDIA_TYPE)
    assert acted(front) == []
