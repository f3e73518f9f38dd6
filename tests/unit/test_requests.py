"""Everything that is wrong with a request is reported at once, before Cognito is called."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.operations import Operation
from tests.support.contract import WITH_BODY, assert_is_problem, ids
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, Reply, call, make_event
from tests.unit.conftest import Invoke, Service, sent

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)
with_body = pytest.mark.parametrize("operation", WITH_BODY, ids=ids)


def assert_refused(reply: Reply, code: str, rules: set[tuple[str, str]], service: Service) -> None:
    """Assert that the reply names these rules, and that Cognito was not called."""
    assert_is_problem(reply, 400, code)
    assert reply.rules == rules
    assert service.cognito.requests == []


MISSING = object()
EMPTY = [
    (RESET, "username", "EmptyResetPasswordUsername"),
    (CONFIRM, "username", "EmptyConfirmResetPasswordUsername"),
    (CONFIRM, "newPassword", "EmptyConfirmResetPasswordNewPassword"),
    (CONFIRM, "confirmationCode", "EmptyConfirmResetPasswordConfirmationCode"),
    (UPDATE, "oldPassword", "EmptyUpdatePassword"),
    (UPDATE, "newPassword", "EmptyUpdatePassword"),
]


@pytest.mark.parametrize(("operation", "member", "code"), EMPTY, ids=ids)
@pytest.mark.parametrize("value", [MISSING, None, ""], ids=["missing", "null", "empty"])
def test_names_an_empty_field_as_amplify_does(
    operation: Operation, member: str, code: str, value: object, service: Service
) -> None:
    body = BODIES[operation] | {member: value}
    if value is MISSING:
        if member == "oldPassword":
            return  # a user who has none
        del body[member]

    reply = service.invoke(operation, body)

    assert_refused(reply, code, {(f"#/{member}", "required")}, service)


def test_lists_everything_that_is_wrong_at_once(cognito: CognitoFront, invoke: Invoke) -> None:
    reply = invoke(
        CONFIRM,
        {
            "username": "half a pair \ud83d",
            "newPassword": "x" * 257 + "\0",
            "confirmationCode": 482916,
            "user/name~": "Ada",
            "options": {"clientMetadata": {"a": 1}, "autoSignIn": True},
        },
    )

    assert_is_problem(reply, 400, "InvalidParameterException")
    assert reply.rules == {
        ("#/username", "pattern"),
        ("#/newPassword", "maxLength"),
        ("#/newPassword", "pattern"),
        ("#/confirmationCode", "type"),
        ("#/user~1name~0", "additionalProperties"),
        ("#/options/clientMetadata", "type"),
        ("#/options/autoSignIn", "additionalProperties"),
    }
    assert all(error["detail"].endswith(".") for error in reply.body["errors"])
    assert cognito.requests == []


@pytest.mark.parametrize("group", ["#", "#/options"])
@pytest.mark.parametrize("names", [[f"{n}" for n in range(4_000)], ["🔑" * 5_000], ["🔑" * 64]])
def test_a_long_list_of_errors_is_cut(group: str, names: list[str], invoke: Invoke) -> None:
    unknown = dict.fromkeys(names)
    body = {"newPassword": "\0"} | (unknown if group == "#" else {"options": unknown})

    reply = invoke(CONFIRM, body)

    assert reply.rules >= {
        ("#/username", "required"),
        ("#/newPassword", "pattern"),
        ("#/confirmationCode", "required"),
    }
    assert len(reply.body["errors"]) == min(len(names) + 3, 20)
    assert len(reply.text) < 4_000


def test_the_first_empty_field_names_a_failure_with_several(invoke: Invoke) -> None:
    reply = invoke(CONFIRM, {"username": "half a pair \ud83d", "confirmationCode": ""})

    assert_is_problem(reply, 400, "EmptyConfirmResetPasswordNewPassword")
    assert reply.rules == {
        ("#/username", "pattern"),
        ("#/newPassword", "required"),
        ("#/confirmationCode", "required"),
    }


BAD_BODIES = [
    ("not JSON", "{", "#", "json"),
    ("empty", "", "#", "json"),
    ("a constant of JavaScript", '{"username": NaN}', "#", "json"),
    ("a number too long to read", "9" * 5000, "#", "json"),
    ("deep nesting", "[" * 20_000, "#", "json"),
    ("deep nesting of objects", '{"a":' * 6_000, "#", "json"),
    ("a byte order mark", "\ufeff{}", "#", "json"),
    ("an array", "[]", "#", "type"),
    ("null", "null", "#", "type"),
    ("a string", '"username"', "#", "type"),
    ("duplicate names", '{"username": "a", "username": "b"}', "#", "uniqueNames"),
    ("options that are no object", '{"username": "a", "options": []}', "#/options", "type"),
]


@pytest.mark.parametrize(
    ("raw", "pointer", "rule"), [case[1:] for case in BAD_BODIES], ids=[c[0] for c in BAD_BODIES]
)
def test_refuses_a_body_that_is_no_request(
    raw: str, pointer: str, rule: str, service: Service
) -> None:
    reply = service.invoke(RESET, raw=raw)

    assert_refused(reply, "InvalidParameterException", {(pointer, rule)}, service)


BAD_VALUES = [
    (RESET, "username", 7, "type"),
    (RESET, "username", ["ada"], "type"),
    (RESET, "username", "a" * 129, "maxLength"),
    (RESET, "username", "half a pair \ud83d", "pattern"),
    (CONFIRM, "confirmationCode", "482916\udc00", "pattern"),
    (CONFIRM, "confirmationCode", "4" * 2049, "maxLength"),
    (CONFIRM, "newPassword", {"value": "x"}, "type"),
    (CONFIRM, "newPassword", "half a pair \ud83d", "pattern"),
    (CONFIRM, "newPassword", "a line\nand another", "pattern"),
    (UPDATE, "oldPassword", "x" * 257, "maxLength"),
    (UPDATE, "newPassword", True, "type"),
    (UPDATE, "newPassword", "second-qui\ufffdt-harbour", "replacementCharacter"),
    (CONFIRM, "newPassword", "second-qui\ufffdt-harbour", "replacementCharacter"),
    (UPDATE, "oldPassword", "half a pair \ud83d", "pattern"),
]


@pytest.mark.parametrize(("operation", "member", "value", "rule"), BAD_VALUES)
def test_names_the_field_and_the_rule_that_it_breaks(
    operation: Operation, member: str, value: object, rule: str, service: Service
) -> None:
    reply = service.invoke(operation, BODIES[operation] | {member: value})

    assert_refused(reply, "InvalidParameterException", {(f"#/{member}", rule)}, service)


@pytest.mark.parametrize(
    ("metadata", "rule"),
    [
        ("text", "type"),
        ({"a": None}, "type"),
        ({str(n): "" for n in range(11)}, "maxProperties"),
        ({"n" * 65: ""}, "maxLength"),
        ({"a": "v" * 257}, "maxLength"),
        ({"a": "\x1b"}, "pattern"),
    ],
)
@pytest.mark.parametrize("operation", [RESET, CONFIRM], ids=ids)
def test_bounds_what_reaches_the_triggers(
    operation: Operation, metadata: object, rule: str, service: Service
) -> None:
    reply = service.invoke(operation, BODIES[operation] | {"options": {"clientMetadata": metadata}})

    assert_refused(
        reply, "InvalidParameterException", {("#/options/clientMetadata", rule)}, service
    )


@with_body
@pytest.mark.parametrize("options", [None, {}], ids=str)
def test_takes_empty_options_for_none(
    operation: Operation, options: object, service: Service
) -> None:
    assert service.invoke(operation, BODIES[operation] | {"options": options}).status < 300


@with_body
@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"),
        "text/plain; a=application/json",
        "\x0bapplication/json",
    ],
)
def test_refuses_what_a_foreign_page_can_post_without_a_preflight(
    operation: Operation, content_type: str, service: Service
) -> None:
    reply = service.invoke(operation, raw="{", headers={"Content-Type": content_type})

    assert_is_problem(reply, 415, "InvalidParameterException")
    assert service.cognito.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": 'application/json;version=1 ; Charset="UTF-8"'},
        {"Content-Type": "", "content-type": "Application/JSON"},
    ],
)
def test_reads_the_media_type_as_http_defines_it(headers: dict[str, str], invoke: Invoke) -> None:
    headers = {name: value for name, value in headers.items() if value}

    assert invoke(RESET, headers=headers).status == 200


@with_body
@pytest.mark.parametrize(
    "parameters",
    ["charset=latin-1", 'CHARSET="utf-16"', "charset=utf-8; charset=ascii", "charset="],
)
def test_refuses_a_body_that_is_declared_to_be_in_another_charset(
    operation: Operation, parameters: str, service: Service
) -> None:
    reply = service.invoke(operation, headers={"Content-Type": f"application/json; {parameters}"})

    assert_refused(reply, "InvalidParameterException", {("Content-Type", "charset")}, service)


@pytest.mark.parametrize(
    ("missing", "status"), [("headers", 415), ("body", 400), ("requestContext", 500)]
)
def test_answers_an_event_that_lacks_a_part(missing: str, status: int, service: Service) -> None:
    event = make_event(RESET, json.dumps(BODIES[RESET])) | {missing: None}

    assert call(service.deployment.handler(RESET), event).status == status


@each_operation
@pytest.mark.parametrize(
    "context",
    [
        {"requestId": "r", "http": {"sourceIp": "192.0.2.7", "userAgent": "tests"}},
        {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/1"}},
        {"requestId": "r", "identity": {"sourceIp": None}},
    ],
    ids=["an HTTP API or a function URL", "a load balancer", "no address"],
)
def test_refuses_an_event_that_does_not_say_who_calls_and_tells_the_operator_what_to_do(
    operation: Operation, context: dict[str, Any], service: Service
) -> None:
    reply = service.invoke(operation, requestContext=context)

    assert_is_problem(reply, 500, "InternalErrorException")
    assert (reply.log["level"], reply.log["cause"]) == ("ERROR", "NoCallerAddress")
    assert "Call the function through an API Gateway REST API" in reply.log["note"]
    assert "API Gateway" not in reply.text
    assert service.cognito.requests == []


@with_body
def test_refuses_megabytes_before_it_reads_them(operation: Operation, service: Service) -> None:
    reply = service.invoke(operation, raw="[" * 3_000_000)

    assert_is_problem(reply, 413, "InvalidParameterException")
    assert service.cognito.requests == []


def test_the_largest_valid_request_is_not_too_large(invoke: Invoke) -> None:
    key = "\U0001f511"  # twelve bytes when escaped, the most that a character can take
    body = {
        "username": "\U0001f5dd" * 128,
        "newPassword": key * 256,
        "confirmationCode": key * 2048,
        "options": {"clientMetadata": {f"{n}" + key * 63: key * 200 for n in range(10)}},
    }

    assert invoke(CONFIRM, raw=json.dumps(body)).status == 204


def test_reads_a_body_that_the_gateway_encoded(cognito: CognitoFront, invoke: Invoke) -> None:
    raw = base64.b64encode(json.dumps(BODIES[CONFIRM]).encode()).decode()

    assert invoke(CONFIRM, raw=raw, isBase64Encoded=True).status == 204
    assert sent(cognito, CONFIRM)[0].body["Username"] == "demo@example.com"


@pytest.mark.parametrize(
    ("operation", "member", "parameter"),
    [
        (CONFIRM, "newPassword", "Password"),
        (UPDATE, "oldPassword", "PreviousPassword"),
        (UPDATE, "newPassword", "ProposedPassword"),
    ],
    ids=ids,
)
def test_passes_a_password_on_exactly_as_received(
    operation: Operation, member: str, parameter: str, service: Service
) -> None:
    password = "\uff46ull width, é and e\u0301, İ, 🔑 <script> ../../ {{7*7}}"

    service.invoke(operation, BODIES[operation] | {member: password})

    (request,) = sent(service.cognito, operation)
    assert request.body[parameter] == password


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
members = st.sampled_from(
    ["username", "newPassword", "oldPassword", "confirmationCode", "options", "clientMetadata"]
)
bodies = st.dictionaries(members | st.text(), json_values | st.text(min_size=1), max_size=5)
DOCUMENTED = {200, 204, 400, 413, 415}


@each_operation
@given(raw=st.text() | bodies.map(json.dumps), encoded=st.booleans())
def test_gives_any_body_a_documented_answer(
    operation: Operation, raw: str, service: Service, *, encoded: bool
) -> None:
    reply = service.invoke(operation, raw=raw, isBase64Encoded=encoded)

    assert reply.status in DOCUMENTED
    if reply.status >= 400:
        assert_is_problem(reply, reply.status, reply.body["code"])


odd = json_values | st.dictionaries(
    st.sampled_from(["headers", "body", "requestContext", "isBase64Encoded"]),
    json_values | st.dictionaries(st.sampled_from(["identity", "authorizer"]), json_values),
)


@with_body
@given(event=odd)
def test_gives_any_event_a_problem(operation: Operation, service: Service, event: object) -> None:
    reply = call(service.deployment.handler(operation), event)

    assert reply.body["status"] == reply.status
    assert reply.status in {400, 401, 413, 415, 500}
