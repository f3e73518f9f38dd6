import json
from base64 import b64encode
from typing import Any

import pytest

from functions.operations import SCOPE, Operation
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

    done = [one.action for one in service.cognito.requests]
    ends = forced or options.get("globalSignOut", False)
    expected = ["ChangePassword", *(["GlobalSignOut"] if ends else [])]
    assert [one for one in done if "Describe" not in one][2:] == expected


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
        (f"Bearer {TOKEN}", {"scope": "openid"}, "NoScope"),
        (f"Bearer {TOKEN}", {"scope": ""}, "NoScope"),
        (f"Bearer {TOKEN}", {"iss": "https://example.com/another"}, "ForeignPool"),
        (f"Bearer {TOKEN}", {"client_id": "another"}, "ForeignClient"),
    ],
)
def test_takes_only_an_access_token_of_an_allowed_client(
    header: str, claims: dict[str, str], cause: str, service: Service
) -> None:
    reply = service.invoke(UPDATE, headers={"Authorization": header}, claims=claims)

    assert_is_problem(reply, 403 if cause == "NoScope" else 401, "NotAuthorizedException")
    assert reply.log["cause"] == cause
    # Users whom it would not help are not told to sign in again.
    slug = reply.body["type"].rpartition(":")[2]
    assert slug == {"NoBearerToken": "not-signed-in", "NoScope": "scope-missing"}.get(
        cause, "wrong-token"
    )
    error = "insufficient_scope" if cause == "NoScope" else "invalid_token"
    assert reply.headers["WWW-Authenticate"].startswith(f'Bearer error="{error}", ')
    assert SCOPE in reply.headers["WWW-Authenticate"]
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


FIRST = {name: value for name, value in BODIES[UPDATE].items() if name != "oldPassword"}


def test_a_user_without_a_password_chooses_one_soon_after_a_sign_in(service: Service) -> None:
    reply = service.invoke(UPDATE, FIRST, claims={"auth_time": f"{NOW - 300:.0f}"})

    assert reply.status == 204
    (request,) = sent(service.cognito, UPDATE)
    assert request.body.keys() == {"AccessToken", "ProposedPassword"}


@pytest.mark.parametrize(
    ("body", "most", "limit"),
    [(FIRST, 0, 300), (FIRST, 60, 60), (FIRST, 3600, 300), (BODIES[UPDATE], 3600, 3600)],
)
@pytest.mark.parametrize("claim", ["too old", "in the future", "missing", "no number", "huge"])
def test_a_sign_in_that_is_too_old_changes_nothing(
    body: dict[str, Any], most: int, limit: int, claim: str, service: Service
) -> None:
    service.configure(max_sign_in_age=most)
    times = {"too old": f"{NOW - limit - 1:.0f}", "in the future": f"{NOW + 1:.0f}", "missing": ""}
    stale: dict[str, Any] = {"auth_time": (times | {"huge": "9" * 400}).get(claim, "x")}

    reply = service.invoke(UPDATE, body, claims=stale)

    assert_is_problem(reply, 401, "NotAuthorizedException")
    assert reply.body["type"].endswith(":sign-in-too-old")
    assert reply.rules == {("Authorization", "maxSignInAge")}
    # RFC 9470 §3
    expected = f'Bearer error="insufficient_user_authentication", max_age={limit}'
    assert reply.headers["WWW-Authenticate"] == expected
    assert service.cognito.requests == []
    fresh = {"auth_time": f"{NOW - limit:.0f}"}
    assert service.invoke(UPDATE, body, claims=fresh).status == 204


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("InvalidParameterException", "Missing required parameter OldPassword"),
        ("InvalidParameterException", "Value null at 'previousPassword' failed"),
        ("NotAuthorizedException", "Incorrect username or password."),
        ("NotAuthorizedException", "a text that nobody has seen yet"),
    ],
)
def test_a_user_who_left_the_password_out_is_asked_for_it(
    code: str, text: str, service: Service
) -> None:
    service.cognito.answer("ChangePassword", error=code, message=text)

    reply = service.invoke(UPDATE, FIRST)

    assert_is_problem(reply, 400, "EmptyUpdatePassword")
    assert reply.rules == {("#/oldPassword", "required")}


@pytest.mark.parametrize("old", [" leading", "trailing ", "line\n", "a", "in\nside", "tab\t"])
def test_an_old_password_that_cognito_cannot_hold_is_a_wrong_one(
    old: str, service: Service
) -> None:
    service.cognito.answer(
        "ChangePassword", error="NotAuthorizedException", message="Incorrect username or password."
    )
    replies = [
        service.invoke(UPDATE, BODIES[UPDATE] | {"oldPassword": one})
        for one in ("the wrong password", old)
    ]

    assert replies[0].text == replies[1].text
    assert_is_problem(replies[1], 403, "NotAuthorizedException")
    assert len(sent(service.cognito, UPDATE)) == 1


def test_an_old_password_that_cognito_itself_cannot_hold_is_a_wrong_one(service: Service) -> None:
    text = "Value at 'previousPassword' failed to satisfy constraint: a regular expression"
    service.cognito.answer("ChangePassword", error="InvalidParameterException", message=text)

    assert service.invoke(UPDATE).body["type"].endswith(":wrong-password")
