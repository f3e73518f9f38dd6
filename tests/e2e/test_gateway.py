"""The gateway's own failures, CORS and limits, and the bodies that pass through it."""

import json

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
    Problem,
)
from infra.settings import Deployment
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api, Fronts, acted
from tests.support.contract import WITH_BODY, ids
from tests.support.front import CognitoFront

ORIGINS = Deployment.of_stage("local").allowed_origins
ORIGIN = ORIGINS[0]
FOREIGN = "https://attacker.example"


@pytest.fixture
def token(stack: Stack, user: User) -> str:
    return stack.sign_in(user)["AccessToken"]


each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)


def test_an_unknown_route_is_a_problem(api: Api) -> None:
    for path in ("/", "/sign-up", "/reset-password/again"):
        api.send("POST", path, "{}").check(NOT_FOUND)


@each_operation
def test_an_unsupported_method_is_told_the_supported_one(api: Api, operation: Operation) -> None:
    for method in ("PATCH", "PUT", "DELETE"):
        refused = api.send(method, operation.path)

        refused.check(METHOD_NOT_ALLOWED)
        assert operation.method in refused.headers["Allow"].split(", ")


@each_operation
def test_a_browser_may_ask_before_it_sends(api: Api, operation: Operation) -> None:
    headers = {
        "Access-Control-Request-Method": operation.method,
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }

    preflights = {
        origin: api.send("OPTIONS", operation.path, headers=headers | {"Origin": origin})
        for origin in (*ORIGINS, FOREIGN)
    }

    for origin, preflight in preflights.items():
        answered = preflight.headers["Access-Control-Allow-Origin"]
        assert answered == (origin if origin in ORIGINS else ORIGIN)
    preflight = preflights[ORIGIN]
    assert preflight.status in {200, 204}
    assert operation.method in preflight.headers["Access-Control-Allow-Methods"]
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert {"authorization", "content-type", "idempotency-key"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in preflight.headers


def test_an_allowed_origin_is_echoed_and_no_other(api: Api) -> None:
    body = {"username": "nobody@example.com"}

    *ours, allowed = [api.post(Operation.RESET_PASSWORD, body, Origin=one) for one in ORIGINS]
    foreign = api.post(Operation.RESET_PASSWORD, body, Origin=FOREIGN)

    shown = [one.headers["Access-Control-Allow-Origin"] for one in (*ours, allowed)]
    assert shown == [*ORIGINS]
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert allowed.headers["Vary"] == foreign.headers["Vary"] == "Origin"
    assert allowed.body == foreign.body


def test_a_script_may_read_the_gateways_own_failures(api: Api) -> None:
    refused = api.post(Operation.UPDATE_PASSWORD, {}, Origin=ORIGIN)

    refused.check(NOT_SIGNED_IN)
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_a_caller_above_the_throttle_is_told_when_to_return(
    api: Api, stack: Stack, fronts: Fronts
) -> None:
    """One request in a thousand seconds: any machine is faster."""
    body = {"username": "nobody@example.com"}

    with stack.throttled(Operation.RESET_PASSWORD, rate=0.001, burst=1):
        assert api.post(Operation.RESET_PASSWORD, body).status == 200
        for _ in range(3):
            api.post(Operation.RESET_PASSWORD, body).check(TOO_MANY_REQUESTS)

    assert [request.action for request in fronts.queue.requests].count("SendMessage") == 1


MALFORMED = {
    "nothing": ("", INVALID_REQUEST),
    "half of it": ('{"username": "ada', INVALID_REQUEST),
    "deep nesting": ("[" * 20_000, INVALID_REQUEST),
    "megabytes": (json.dumps({"username": "a" * 2_000_000}), REQUEST_TOO_LARGE),
}


@pytest.mark.parametrize(("content", "problem"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_a_problem(
    api: Api, front: CognitoFront, token: str, content: str, problem: Problem
) -> None:
    for operation in WITH_BODY:
        sent_token = token if operation.signed_in else None
        api.post(operation, content=content, token=sent_token).check(problem)

    assert acted(front) == []


def test_only_json_is_taken_since_other_posts_need_no_preflight(
    api: Api, front: CognitoFront, token: str
) -> None:
    body = {"username": "demo@example.com", "oldPassword": OLD, "newPassword": NEW}

    for operation in WITH_BODY:
        sent_token = token if operation.signed_in else None
        refused = api.post(operation, body, token=sent_token, Content_Type="text/plain")
        refused.check(UNSUPPORTED_MEDIA_TYPE)

    assert acted(front) == []
