"""Under `hide`, no kind of account answers unlike another (OWASP ASVS 6.3.8).

The emulator alone answers alike for all of them. So the front plays what AWS documents, for a pool
that prevents user existence errors and for one that does not.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.problems import CODE_REFUSED, OUTCOME_UNKNOWN, PASSWORD_REFUSED
from local.stack import Stack, User
from tests.e2e.client import kill
from tests.e2e.conftest import NEW, OLD, POSTPONE, Api, Fronts, Reply, acted, wait_until
from tests.e2e.test_story import confirm
from tests.support.front import CognitoFront

TRIGGERS: dict[str, dict[str, Any]] = {
    "a trigger refuses": {
        "error": "UserLambdaValidationException",
        "message": "CustomMessage failed with error no.",
    },
    "a trigger fails": {
        "error": "UnexpectedLambdaException",
        "message": "CustomMessage failed with error Task timed out.",
    },
    "a trigger answers nonsense": {
        "error": "InvalidLambdaResponseException",
        "message": "Unrecognizable lambda output",
    },
}
LIMITED: dict[str, dict[str, Any]] = {
    "over the limit": {
        "error": "LimitExceededException",
        "message": "Attempt limit exceeded, please try after some time.",
    },
}
UNKNOWN: dict[str, dict[str, Any]] = {
    "unknown": {
        "error": "UserNotFoundException",
        "message": "Username/client id combination not found.",
    },
}
UNCONFIRMED: dict[str, dict[str, Any]] = {
    "unconfirmed": {"error": "UserNotConfirmedException", "message": "User is not confirmed."},
}
DISABLED: dict[str, dict[str, Any]] = {
    "disabled": {"error": "NotAuthorizedException", "message": "User is disabled."},
}
FAULTS_OF_REAL_USERS: dict[str, dict[str, Any]] = {
    "with a broken mail role": {
        "error": "InvalidEmailRoleAccessPolicyException",
        "message": "The role cannot be assumed.",
    },
    "of whom Cognito says something new": {
        "error": "SomethingUnheardOfException",
        "message": "This is in no documentation.",
    },
}
RESETS: dict[str, dict[str, Any]] = {
    **FAULTS_OF_REAL_USERS,
    **UNKNOWN,
    **UNCONFIRMED,
    **DISABLED,
    **LIMITED,
    **TRIGGERS,
    "invited": {
        "error": "NotAuthorizedException",
        "message": "User password cannot be reset in the current state.",
    },
    "unverified": {
        "error": "InvalidParameterException",
        "message": "Cannot reset password for the user as there is no registered/verified email "
        "or phone_number",
    },
    "in a state that nobody documents": {
        "error": "NotAuthorizedException",
        "message": "Something that is not in the documentation.",
    },
    "out of reach": {
        "error": "CodeDeliveryFailureException",
        "message": "Failed to deliver the code.",
    },
    "with a phone": {
        "body": {
            "CodeDeliveryDetails": {
                "Destination": "+*******4567",
                "DeliveryMedium": "SMS",
                "AttributeName": "phone_number",
            }
        },
    },
    "without delivery details": {"body": {}},
    "with a slow trigger": {"delay": 8.0},
    "federated": {
        "error": "NotAuthorizedException",
        "message": "User password cannot be reset in the current state.",
    },
}
CONFIRMATIONS: dict[str, dict[str, Any]] = {
    **FAULTS_OF_REAL_USERS,
    **UNKNOWN,
    **UNCONFIRMED,
    **DISABLED,
    **LIMITED,
    **TRIGGERS,
    "expired": {
        "error": "ExpiredCodeException",
        "message": "Invalid code provided, please request a code again.",
    },
    "mistyped": {
        "error": "CodeMismatchException",
        "message": "Invalid verification code provided, please try again.",
    },
    "invited": {
        "error": "NotAuthorizedException",
        "message": "User password cannot be reset in the current state.",
    },
    "tried too often": {
        "error": "TooManyFailedAttemptsException",
        "message": "Too many failed attempts.",
    },
    "unverified": {
        "error": "InvalidParameterException",
        "message": "Cannot reset password for the user as there is no registered/verified email "
        "or phone_number",
    },
}
OF_ONE_REQUEST = {"date", "x-amz-request-id", "x-amzn-requestid", "x-amzn-trace-id"}


def what_an_attacker_sees(reply: Reply) -> tuple[int, dict[str, str], str]:
    """Everything but what names the request."""
    headers = {
        name.lower(): value
        for name, value in reply.headers.items()
        if name.lower() not in OF_ONE_REQUEST
    }
    identity = reply.body.get("requestId")
    return reply.status, headers, reply.text.replace(identity, "") if identity else reply.text


@pytest.mark.parametrize("answer", RESETS.values(), ids=RESETS)
def test_a_reset_answers_every_account_alike(
    api: Api, front: CognitoFront, user: User, answer: dict[str, Any]
) -> None:
    body = {"username": user.username}
    ordinary = api.post(Operation.RESET_PASSWORD, body)
    assert ordinary.status == 200
    front.answer("ForgotPassword", **answer)

    other = api.post(Operation.RESET_PASSWORD, body)

    assert what_an_attacker_sees(other) == what_an_attacker_sees(ordinary)
    wait_until(lambda: acted(front) == ["ForgotPassword"] * 2)


def test_a_reset_never_asks_cognito_before_its_answer(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    body = {"username": user.username}
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    assert api.post(Operation.RESET_PASSWORD, body).status == 200
    assert stack.settle()
    kill(stack, Operation.RESET_PASSWORD.id)
    front.reset()
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        assert api.post(Operation.RESET_PASSWORD, body).status == 200
        assert front.requests == []
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    wait_until(lambda: acted(front) == ["ForgotPassword"])


@pytest.mark.parametrize("answer", CONFIRMATIONS.values(), ids=CONFIRMATIONS)
def test_a_confirmation_answers_every_account_alike(
    api: Api, front: CognitoFront, user: User, answer: dict[str, Any]
) -> None:
    body = {"username": user.username, "confirmationCode": "000000", "newPassword": NEW}
    ordinary = api.post(Operation.CONFIRM_RESET_PASSWORD, body)
    ordinary.check(CODE_REFUSED)
    front.answer("ConfirmForgotPassword", **answer)

    other = api.post(Operation.CONFIRM_RESET_PASSWORD, body)

    assert what_an_attacker_sees(other) == what_an_attacker_sees(ordinary)


@pytest.mark.parametrize("answer", CONFIRMATIONS.values(), ids=CONFIRMATIONS)
def test_a_weak_password_is_refused_for_every_account_alike(
    api: Api, front: CognitoFront, user: User, answer: dict[str, Any]
) -> None:
    body = {"username": user.username, "confirmationCode": "000000", "newPassword": "weak"}
    ordinary = api.post(Operation.CONFIRM_RESET_PASSWORD, body)
    ordinary.check(PASSWORD_REFUSED)
    front.answer("ConfirmForgotPassword", **answer)

    other = api.post(Operation.CONFIRM_RESET_PASSWORD, body)

    assert what_an_attacker_sees(other) == what_an_attacker_sees(ordinary)


@pytest.mark.parametrize("changed", [False, True], ids=["a made-up code", "the right code"])
def test_an_unknown_outcome_ends_sessions_only_if_the_password_changed(
    api: Api, stack: Stack, user: User, fronts: Fronts, changed: bool
) -> None:
    session = stack.sign_in(user)["AccessToken"]
    code = stack.request_code(user.username) if changed else "000000"
    script: dict[str, Any] = {"error": "InternalErrorException", "status": 500, "forward": True}
    fronts.cognito.answer("ConfirmForgotPassword", **script)
    # An account that was made in the same second would pass for changed.
    second = int(time.time())
    wait_until(lambda: time.time() >= second + 1)

    body = confirm(user, code, NEW)
    api.post(Operation.CONFIRM_RESET_PASSWORD, body).check(OUTCOME_UNKNOWN)

    wait_until(lambda: stack.settle() if changed else postponed(fronts))
    assert ("AdminUserGlobalSignOut" in acted(fronts.cognito)) is changed
    update = api.post(
        Operation.UPDATE_PASSWORD, {"oldPassword": OLD, "newPassword": NEW}, token=session
    )
    assert update.status == (401 if changed else 204)


def postponed(fronts: Fronts) -> bool:
    return POSTPONE in {request.action for request in fronts.queue.requests}


@pytest.fixture
def legacy(stack: Stack) -> Iterator[None]:
    """An app client that reveals who exists, as an imported pool may have one."""
    idp = stack.client("cognito-idp")
    ids = {"UserPoolId": stack.user_pool_id, "ClientId": stack.user_pool_client_id}
    client = idp.describe_user_pool_client(**ids)["UserPoolClient"]
    kept = ids | {
        name: client[name]
        for name in ("ClientName", "ExplicitAuthFlows", "EnableTokenRevocation")
        if client.get(name)
    }
    idp.update_user_pool_client(**kept, PreventUserExistenceErrors="LEGACY")
    yield
    idp.update_user_pool_client(**kept, PreventUserExistenceErrors="ENABLED")


@pytest.mark.usefixtures("legacy")
def test_a_client_that_tells_who_exists_tells_the_service_alone(
    api: Api, user: User, stack: Stack
) -> None:
    with pytest.raises(ClientError, match="UserNotFoundException"):
        stack.request_code("nobody@example.com")

    test_nobody_learns_from_the_emulated_pool_either(api, user)


def test_nobody_learns_from_the_emulated_pool_either(api: Api, user: User) -> None:
    stranger = user.username.replace("ada", "eve")
    body = {"confirmationCode": "000000", "newPassword": NEW}

    assert (
        api.post(Operation.RESET_PASSWORD, {"username": stranger}).text.replace("e***@", "a***@", 1)
        == api.post(Operation.RESET_PASSWORD, {"username": user.username}).text
    )
    assert what_an_attacker_sees(
        api.post(Operation.CONFIRM_RESET_PASSWORD, body | {"username": stranger})
    ) == what_an_attacker_sees(
        api.post(Operation.CONFIRM_RESET_PASSWORD, body | {"username": user.username})
    )
