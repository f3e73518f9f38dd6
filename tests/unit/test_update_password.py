import json
from base64 import b64encode

import pytest

from functions.operations import Operation
from tests.support.contract import assert_is_problem
from tests.support.front import CognitoFront, make_user
from tests.support.invocation import (
    BODIES,
    CLIENT_ID,
    NOW,
    TOKEN,
    call,
    make_claims,
    make_event,
    make_token,
)
from tests.unit.conftest import Configure, Invoke, Service, sent

UPDATE = Operation.UPDATE_PASSWORD


def test_answers_success_with_nothing(cognito: CognitoFront, invoke: Invoke) -> None:
    reply = invoke(UPDATE)

    assert (reply.status, reply.text) == (204, "")
    assert "Content-Type" not in reply.headers
    (request,) = sent(cognito, UPDATE)
    assert request.body == {
        "AccessToken": TOKEN,
        "PreviousPassword": BODIES[UPDATE]["oldPassword"],
        "ProposedPassword": BODIES[UPDATE]["newPassword"],
    }


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("options", [{}, {"globalSignOut": False}, {"globalSignOut": True}])
def test_lets_the_caller_choose_whether_sessions_end_unless_the_operator_has(
    options: dict[str, bool], forced: bool, service: Service
) -> None:
    service.configure(force_global_sign_out=forced)
    service.invoke(UPDATE, BODIES[UPDATE] | {"options": options})

    done = [
        request.action for request in service.cognito.requests if "Describe" not in request.action
    ]
    ends = forced or options.get("globalSignOut", False)
    assert done == ["GetUser", "ChangePassword", *(["GlobalSignOut"] if ends else [])]


def test_counts_the_new_password_even_if_the_sessions_live_on(service: Service) -> None:
    service.cognito.answer("GlobalSignOut", error="InternalErrorException", status=500)

    reply = service.invoke(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": True}})

    assert (reply.status, reply.metrics) == (204, {"Success", "SignOutDelayed"})


@pytest.mark.parametrize(
    ("header", "claims", "cause"),
    [
        ("", {}, "NoBearerToken"),
        ("Bearer", {}, "NoBearerToken"),
        ("Bearer  ", {}, "NoBearerToken"),
        ("Basic dXNlcjpwYXNz", {}, "NoBearerToken"),
        (f"Bearer {TOKEN}", {"token_use": "id"}, "NoAccessToken"),
        (f"Bearer {TOKEN}", {"scope": "openid"}, "NoAccessToken"),
        (f"Bearer {TOKEN}", {"scope": ""}, "NoAccessToken"),
        (f"Bearer {TOKEN}", {"iss": "https://example.com/another"}, "ForeignPool"),
        (f"Bearer {TOKEN}", {"client_id": "another"}, "ForeignClient"),
    ],
)
def test_takes_only_an_access_token_of_an_allowed_client(
    header: str, claims: dict[str, str], cause: str, service: Service
) -> None:
    reply = service.invoke(UPDATE, headers={"Authorization": header}, claims=claims)

    assert_is_problem(reply, 401, "NotAuthorizedException")
    assert reply.log["cause"] == cause
    assert service.cognito.requests == []


@pytest.mark.parametrize("claim", ["sub", "client_id", "token_use", "jti"])
@pytest.mark.parametrize("value", ["another", 1, None], ids=str)
def test_takes_no_token_but_the_one_that_the_authorizer_checked(
    claim: str, value: object, service: Service
) -> None:
    token = make_token(make_claims() | {claim: value})
    missing = make_token({n: v for n, v in make_claims().items() if n != claim})

    for other in (token, missing):
        reply = service.invoke(UPDATE, headers={"Authorization": f"Bearer {other}"})

        assert_is_problem(reply, 401, "NotAuthorizedException")
        assert reply.log["cause"] == "AnotherToken"
    assert service.cognito.requests == []


@pytest.mark.parametrize("claim", ["sub", "jti"])
def test_takes_no_claims_by_which_no_token_can_be_recognised(claim: str, invoke: Invoke) -> None:
    reply = invoke(UPDATE, claims={claim: None})

    assert (reply.status, reply.log["cause"]) == (401, "AnotherToken")


@pytest.mark.parametrize(
    "token",
    [
        "a",
        "a.b",
        f"{TOKEN}.d",
        f"{TOKEN},{TOKEN}",
        "a.\xe9.c",
        "a.YQ.c",
        "a.W10.c",
        f"a.{'W' * 9}.c",
    ]
    + [f"a.{b64encode(text).decode()}.c" for text in (b"\xff", b"[" * 60_000)],
)
def test_takes_no_token_that_cannot_be_read(token: str, service: Service) -> None:
    reply = service.invoke(UPDATE, headers={"Authorization": f"Bearer {token}"})

    assert (reply.status, reply.log["cause"]) == (401, "AnotherToken")
    assert service.cognito.requests == []


GOOD, BAD = f"Bearer {TOKEN}", "Bearer another"


@pytest.mark.parametrize(
    ("single", "repeated", "status"),
    [
        ({"AUTHORIZATION": f"BEARER {TOKEN}"}, None, 204),
        ({"authorization": GOOD}, {"Authorization": [GOOD]}, 204),
        ({"Authorization": GOOD}, {"Authorization": [GOOD, GOOD]}, 401),
        ({"Authorization": GOOD}, {"Authorization": [BAD, GOOD]}, 401),
        ({"Authorization": GOOD}, {"Authorization": [GOOD], "authorization": [BAD]}, 401),
        ({"authorization": BAD, "Authorization": GOOD}, None, 401),
    ],
)
def test_takes_no_header_that_was_sent_twice(
    single: dict[str, str], repeated: dict[str, list[str]] | None, status: int, service: Service
) -> None:
    event = make_event(
        UPDATE, json.dumps(BODIES[UPDATE]), pool=service.deployment.settings.user_pool_id
    )
    event["headers"] = {"Content-Type": "application/json"} | single

    reply = call(service.deployment.handler(UPDATE), event | {"multiValueHeaders": repeated})

    assert reply.status == status
    assert bool(sent(service.cognito, UPDATE)) == (status == 204)


def test_takes_tokens_of_each_allowed_client(configure: Configure, invoke: Invoke) -> None:
    configure(allowed_client_ids=(CLIENT_ID, "another"))

    assert invoke(UPDATE, claims={"client_id": "another"}).status == 204


def test_does_not_trust_a_token_that_no_authorizer_has_seen(service: Service) -> None:
    reply = service.invoke(
        UPDATE, requestContext={"requestId": "r", "identity": {"sourceIp": "192.0.2.7"}}
    )

    assert_is_problem(reply, 401, "NotAuthorizedException")
    assert service.cognito.requests == []


@pytest.mark.parametrize("everywhere", [False, True])
def test_an_unknown_outcome_ends_sessions_only_if_asked_to_and_if_the_account_has_changed(
    everywhere: bool, service: Service
) -> None:
    service.cognito.answer("ChangePassword", reset=True, forward=True)
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW + 1))

    reply = service.invoke(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": everywhere}})
    service.work()

    assert reply.status == 504
    assert (service.cognito.requests[-1].action == "AdminUserGlobalSignOut") == everywhere


def test_a_flag_that_is_text_is_refused(invoke: Invoke) -> None:
    reply = invoke(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": "true"}})

    assert reply.rules == {("#/options/globalSignOut", "type")}
