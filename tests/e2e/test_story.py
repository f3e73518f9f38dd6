"""What a person does, through the deployed API."""

import pytest
from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.problems import CODE_REFUSED, PASSWORD_REFUSED, WRONG_PASSWORD
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api
from tests.support import contract
from tests.support.front import CognitoFront

THIRD = "a-third-quiet-harbour-53"


def code_for(user: User, api: Api, stack: Stack) -> str:
    assert api.post(Operation.RESET_PASSWORD, {"username": user.username}).status == 200
    code = stack.code(user.username)
    assert code is not None
    return code


def confirm(user: User, code: str, password: str) -> dict[str, str]:
    return {"username": user.username, "confirmationCode": code, "newPassword": password}


def is_refused(stack: Stack, user: User) -> bool:
    with pytest.raises(ClientError, match="Incorrect username or password"):
        stack.sign_in(user)
    return True


def test_a_forgotten_password_is_reset_and_the_new_one_updated(
    api: Api, stack: Stack, user: User
) -> None:
    stack.sign_in(user)

    reset = api.post(Operation.RESET_PASSWORD, {"username": user.username})
    assert reset.status == 200
    assert reset.headers["Content-Type"] == "application/json"
    assert reset.headers["Cache-Control"] == "no-store"
    assert reset.body == {
        "isPasswordReset": False,
        "nextStep": {
            "resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE",
            "codeDeliveryDetails": {
                "destination": "a***@e***",
                "deliveryMedium": "EMAIL",
                "attributeName": "email",
            },
        },
    }

    code = stack.code(user.username)
    assert code is not None
    confirmed = api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, code, NEW))
    assert (confirmed.status, confirmed.text) == (204, "")
    assert is_refused(stack, user)
    token = stack.sign_in(User(user.username, NEW))["AccessToken"]

    updated = api.post(
        Operation.UPDATE_PASSWORD, {"oldPassword": NEW, "newPassword": THIRD}, token=token
    )
    assert (updated.status, updated.text) == (204, "")
    assert is_refused(stack, User(user.username, NEW))
    assert stack.sign_in(User(user.username, THIRD))


def test_a_code_works_once(api: Api, stack: Stack, user: User) -> None:
    code = code_for(user, api, stack)
    assert api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, code, NEW)).status == 204

    again = api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, code, THIRD))

    again.check(CODE_REFUSED)
    assert stack.sign_in(User(user.username, NEW))


def test_a_wrong_code_leaves_the_password(api: Api, stack: Stack, user: User) -> None:
    code = code_for(user, api, stack)
    wrong = f"{(int(code) + 1) % 10**6:06}"

    refused = api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, wrong, NEW))

    refused.check(CODE_REFUSED)
    assert stack.sign_in(user)


def test_a_weak_password_is_refused_and_the_code_still_works(
    api: Api, stack: Stack, user: User
) -> None:
    code = code_for(user, api, stack)

    refused = api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, code, "too-short"))

    refused.check(PASSWORD_REFUSED)
    assert api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, code, NEW)).status == 204


def test_an_update_to_a_weak_password_is_refused(api: Api, stack: Stack, user: User) -> None:
    token = stack.sign_in(user)["AccessToken"]

    refused = api.post(
        Operation.UPDATE_PASSWORD, {"oldPassword": OLD, "newPassword": "too-short"}, token=token
    )

    refused.check(PASSWORD_REFUSED)
    assert stack.sign_in(user)


def test_a_wrong_old_password_is_no_reason_to_sign_in_again(
    api: Api, stack: Stack, user: User
) -> None:
    token = stack.sign_in(user)["AccessToken"]

    refused = api.post(
        Operation.UPDATE_PASSWORD, {"oldPassword": THIRD, "newPassword": NEW}, token=token
    )

    refused.check(WRONG_PASSWORD)
    assert stack.sign_in(user)


def test_client_metadata_reaches_cognito(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    metadata = {"locale": "en-GB", "campaign": "ü"}
    options = {"options": {"clientMetadata": metadata}}

    api.post(Operation.RESET_PASSWORD, {"username": user.username} | options)
    code = stack.code(user.username)
    assert code is not None
    body = confirm(user, code, NEW) | options
    assert api.post(Operation.CONFIRM_RESET_PASSWORD, body).status == 204

    assert {
        request.action: request.body["ClientMetadata"]
        for request in front.requests
        if "ClientMetadata" in request.body
    } == {"ForgotPassword": metadata, "ConfirmForgotPassword": metadata}


def test_what_the_policy_says_is_what_the_deployed_service_refuses(api: Api, user: User) -> None:
    policy = api.send("GET", Operation.PASSWORD_POLICY.path)
    contract.check(Operation.PASSWORD_POLICY, *policy)
    listed = {one["rule"]: one.get("params") for one in policy.body["rules"]}
    password = f" ACM3{user.username}"[:14]

    refused = api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, "000000", password))

    assert policy.headers["Cache-Control"] == "public, max-age=300"
    assert (listed["minLength"], listed["usedBefore"]) == ({"minimum": 15}, {"size": 5})
    broken = {error["rule"] for error in refused.check(PASSWORD_REFUSED)["errors"]}
    assert broken == {"minLength", "edgeSpace", "forbiddenWord", "containsUsername"}
    assert broken < {*listed}
