import pytest

from functions.operations import Operation
from tests.support.contract import assert_is_problem
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, CLIENT_ID, TOKEN
from tests.unit.conftest import Configure, Invoke, sent

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


@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ({}, ["GetUser", "ChangePassword"]),
        ({"globalSignOut": False}, ["GetUser", "ChangePassword"]),
        ({"globalSignOut": True}, ["GetUser", "ChangePassword", "GlobalSignOut"]),
    ],
)
def test_lets_the_caller_choose_whether_sessions_end(
    options: dict[str, bool], actions: list[str], cognito: CognitoFront, invoke: Invoke
) -> None:
    invoke(UPDATE, BODIES[UPDATE] | {"options": options})

    done = [request.action for request in cognito.requests if "Describe" not in request.action]
    assert done == actions


def test_counts_the_new_password_even_if_the_sessions_live_on(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("GlobalSignOut", error="InternalErrorException", status=500)

    reply = invoke(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": True}})

    assert (reply.status, reply.metrics) == (204, {"Success", "SignOutFailed"})


def test_ends_no_session_when_the_old_password_is_wrong(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("ChangePassword", error="NotAuthorizedException", message="Incorrect username")

    invoke(UPDATE, BODIES[UPDATE] | {"options": {"globalSignOut": True}})

    assert "GlobalSignOut" not in {request.action for request in cognito.requests}


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
    header: str,
    claims: dict[str, str],
    cause: str,
    cognito: CognitoFront,
    invoke: Invoke,
) -> None:
    reply = invoke(UPDATE, headers={"Authorization": header}, claims=claims)

    assert_is_problem(reply, 401, "NotAuthorizedException")
    assert reply.log["cause"] == cause
    assert cognito.requests == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_takes_the_scheme_in_any_case(scheme: str, cognito: CognitoFront, invoke: Invoke) -> None:
    assert invoke(UPDATE, headers={"Authorization": f"{scheme} {TOKEN}"}).status == 204
    (request,) = sent(cognito, UPDATE)
    assert request.body["AccessToken"] == TOKEN


def test_takes_tokens_of_each_allowed_client(configure: Configure, invoke: Invoke) -> None:
    configure(allowed_client_ids=(CLIENT_ID, "another"))

    assert invoke(UPDATE, claims={"client_id": "another"}).status == 204


def test_does_not_trust_a_token_that_no_authorizer_has_seen(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    reply = invoke(UPDATE, requestContext={"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"})

    assert_is_problem(reply, 401, "NotAuthorizedException")
    assert cognito.requests == []
