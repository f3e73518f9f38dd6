"""The three operations in a row against moto, whose Cognito was written by others."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import xform_name
from moto import mock_aws
from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

from functions.api.caller import read_claims
from functions.operations import Operation
from tests.support.front import CognitoFront
from tests.unit.conftest import Configure, Invoke, Service

USERNAME = "demo@example.com"


@pytest.fixture
def moto(cognito: CognitoFront) -> Iterator[CognitoIdentityProviderClient]:
    with mock_aws():
        client = boto3.client(
            "cognito-idp", endpoint_url="https://cognito-idp.us-east-1.amazonaws.com"
        )

        def respond(action: str, body: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = getattr(client, xform_name(action))(**body)
            plain: dict[str, Any] = json.loads(json.dumps(answer, default=str))
            return plain

        cognito.respond = respond
        yield client


def test_a_user_gets_a_new_password_and_changes_it(
    moto: CognitoIdentityProviderClient, configure: Configure, invoke: Invoke, service: Service
) -> None:
    pool = moto.create_user_pool(PoolName="pool", UsernameAttributes=["email"])["UserPool"]["Id"]
    created = moto.create_user_pool_client(
        UserPoolId=pool, ClientName="client", GenerateSecret=True
    )["UserPoolClient"]
    client_id, secret = created["ClientId"], created["ClientSecret"]
    moto.admin_create_user(
        UserPoolId=pool,
        Username=USERNAME,
        UserAttributes=[
            {"Name": "email", "Value": USERNAME},
            {"Name": "email_verified", "Value": "true"},
        ],
    )
    moto.admin_set_user_password(
        UserPoolId=pool, Username=USERNAME, Password="The-first-passw0rd", Permanent=True
    )
    configure(
        user_pool_id=pool,
        user_pool_client_id=client_id,
        allowed_client_ids=(client_id,),
    )

    def sign_in(password: str) -> str:
        digest = hmac.digest(secret.encode(), (USERNAME + client_id).encode(), "sha256")
        return moto.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={
                "USERNAME": USERNAME,
                "PASSWORD": password,
                "SECRET_HASH": b64encode(digest).decode(),
            },
        )["AuthenticationResult"]["AccessToken"]

    assert invoke(Operation.RESET_PASSWORD).status == 200
    assert service.work().metrics == {"Success"}
    second = {"username": USERNAME, "newPassword": "The-second-passw0rd", "confirmationCode": "1"}
    assert invoke(Operation.CONFIRM_RESET_PASSWORD, second).status == 204
    token = sign_in("The-second-passw0rd")
    third = {"oldPassword": "The-second-passw0rd", "newPassword": "The-third-passw0rd"}
    signed_in = {
        "headers": {"Authorization": f"Bearer {token}"},
        "claims": read_claims(token) | {"iss": f"https://example.com/{pool}"},
    }
    assert invoke(Operation.UPDATE_PASSWORD, third, **signed_in).status == 204
    assert sign_in("The-third-passw0rd")
