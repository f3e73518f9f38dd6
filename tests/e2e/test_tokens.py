"""The tokens that update accepts: the gateway checks them first, then Cognito."""

from base64 import urlsafe_b64encode

import pytest

from functions.operations import Operation
from functions.problems import NOT_SIGNED_IN
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api

BODY = {"oldPassword": OLD, "newPassword": NEW}


def forge(token: str) -> str:
    """Another user's token with the signature of this one."""
    header, _, signature = token.split(".")
    claims = urlsafe_b64encode(b'{"sub": "another", "token_use": "access"}').decode().rstrip("=")
    return f"{header}.{claims}.{signature}"


def test_update_needs_a_token(api: Api) -> None:
    api.post(Operation.UPDATE_PASSWORD, BODY).check(NOT_SIGNED_IN)


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c"])
def test_update_refuses_what_is_no_token(api: Api, token: str) -> None:
    api.post(Operation.UPDATE_PASSWORD, BODY, token=token).check(NOT_SIGNED_IN)


def test_update_refuses_a_forged_token(api: Api, stack: Stack, user: User) -> None:
    token = forge(stack.sign_in(user)["AccessToken"])

    api.post(Operation.UPDATE_PASSWORD, BODY, token=token).check(NOT_SIGNED_IN)
    assert stack.sign_in(user)


def test_update_refuses_an_id_token(api: Api, stack: Stack, user: User) -> None:
    token = stack.sign_in(user)["IdToken"]

    api.post(Operation.UPDATE_PASSWORD, BODY, token=token).check(NOT_SIGNED_IN)
    assert stack.sign_in(user)


def test_update_refuses_a_revoked_token(api: Api, stack: Stack, user: User) -> None:
    token = stack.sign_in(user)["AccessToken"]
    stack.client("cognito-idp").global_sign_out(AccessToken=token)

    api.post(Operation.UPDATE_PASSWORD, BODY, token=token).check(NOT_SIGNED_IN)
    assert stack.sign_in(user)


def test_a_confirmed_reset_ends_the_sessions(api: Api, stack: Stack, user: User) -> None:
    stolen = stack.sign_in(user)["AccessToken"]
    code = stack.request_code(user.username)
    body = {"username": user.username, "confirmationCode": code, "newPassword": NEW}
    assert api.post(Operation.CONFIRM_RESET_PASSWORD, body).status == 204

    body = {"oldPassword": NEW, "newPassword": OLD}
    api.post(Operation.UPDATE_PASSWORD, body, token=stolen).check(NOT_SIGNED_IN)


def test_an_update_ends_the_sessions_on_demand(api: Api, stack: Stack, user: User) -> None:
    other, own = (stack.sign_in(user)["AccessToken"] for _ in range(2))
    body = BODY | {"options": {"globalSignOut": True}}

    assert api.post(Operation.UPDATE_PASSWORD, body, token=own).status == 204

    for token in (own, other):
        body = {"oldPassword": NEW, "newPassword": OLD}
        api.post(Operation.UPDATE_PASSWORD, body, token=token).check(NOT_SIGNED_IN)
