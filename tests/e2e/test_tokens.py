"""The tokens that update accepts: the gateway checks them first, then Cognito."""

from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from functions.operations import SCOPE, Operation
from functions.problems import NOT_SIGNED_IN, WRONG_TOKEN
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api


def forged(stack: Stack, user: User) -> str:
    """Another user's token with the signature of this one."""
    header, _, signature = stack.sign_in(user)["AccessToken"].split(".")
    claims = urlsafe_b64encode(b'{"sub": "another", "token_use": "access"}').decode().rstrip("=")
    return f"{header}.{claims}.{signature}"


def revoked(stack: Stack, user: User) -> str:
    token = stack.sign_in(user)["AccessToken"]
    stack.client("cognito-idp").global_sign_out(AccessToken=token)
    return token


def of_another_client(stack: Stack, user: User) -> str:
    idp = stack.client("cognito-idp")
    client = idp.create_user_pool_client(
        UserPoolId=stack.user_pool_id,
        ClientName="another",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    answer = idp.admin_initiate_auth(
        UserPoolId=stack.user_pool_id,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user.username, "PASSWORD": user.password},
    )
    token: str = answer["AuthenticationResult"]["AccessToken"]
    return token


TOKENS: dict[str, Callable[[Stack, User], str | None]] = {
    "none": lambda *_: None,
    "empty": lambda *_: "",
    "no token": lambda *_: "garbage",
    "no base64": lambda *_: "a.b.c",
    "forged": forged,
    "for identity": lambda stack, user: stack.sign_in(user)["IdToken"],
    "revoked": revoked,
    "of another client of the pool": of_another_client,
}


@pytest.mark.parametrize("make", TOKENS.values(), ids=TOKENS)
def test_update_takes_only_a_live_access_token_of_its_own_client(
    api: Api, stack: Stack, user: User, make: Callable[[Stack, User], str | None]
) -> None:
    body = {"oldPassword": OLD, "newPassword": NEW}

    reply = api.post(Operation.UPDATE_PASSWORD, body, token=make(stack, user))
    reply.check(WRONG_TOKEN if make is of_another_client else NOT_SIGNED_IN)
    # Where the gateway refuses a token, it cannot tell which kind it was.
    challenge = reply.headers.get("WWW-Authenticate", "")
    assert challenge.startswith('Bearer error="invalid_token"')
    assert SCOPE in challenge

    assert stack.sign_in(user)
