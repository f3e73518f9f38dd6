"""Under `hide`, no kind of account answers unlike another (OWASP ASVS 6.3.8).

The emulator alone answers alike for all of them. So the front plays what AWS documents, for a pool
that prevents user existence errors and for one that does not.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.problems import CODE_REFUSED
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, kill
from tests.e2e.conftest import NEW, OLD, Api, acted, wait_until, what_an_attacker_sees
from tests.e2e.test_story import confirm
from tests.support.front import CognitoFront

ACCOUNTS: dict[str, dict[str, Any]] = {
    "unknown": {
        "error": "UserNotFoundException",
        "message": "Username/client id combination not found.",
    },
    "unconfirmed": {"error": "UserNotConfirmedException", "message": "User is not confirmed."},
    "disabled": {"error": "NotAuthorizedException", "message": "User is disabled."},
    "invited": {
        "error": "NotAuthorizedException",
        "message": "User password cannot be reset in the current state.",
    },
    "unverified": {
        "error": "InvalidParameterException",
        "message": "Cannot reset password for the user as there is no registered/verified email "
        "or phone_number",
    },
    "over the limit": {
        "error": "LimitExceededException",
        "message": "Attempt limit exceeded, please try after some time.",
    },
    "whose trigger refuses": {
        "error": "UserLambdaValidationException",
        "message": "CustomMessage failed with error no.",
    },
    "whose trigger fails": {
        "error": "UnexpectedLambdaException",
        "message": "CustomMessage failed with error Task timed out.",
    },
    "whose trigger answers nonsense": {
        "error": "InvalidLambdaResponseException",
        "message": "Unrecognizable lambda output",
    },
    "with a broken mail role": {
        "error": "InvalidEmailRoleAccessPolicyException",
        "message": "The role cannot be assumed.",
    },
    "of whom Cognito says something new": {
        "error": "SomethingUnheardOfException",
        "message": "This is in no documentation.",
    },
    "with an expired code": {
        "error": "ExpiredCodeException",
        "message": "Invalid code provided, please request a code again.",
    },
    "with a mistyped code": {
        "error": "CodeMismatchException",
        "message": "Invalid verification code provided, please try again.",
    },
    "tried too often": {
        "error": "TooManyFailedAttemptsException",
        "message": "Too many failed attempts.",
    },
}


def test_a_reset_never_asks_cognito_before_its_answer(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    """So its answer and its time are the same for every account, whatever Cognito says."""
    functions = stack.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    stranger = user.username.replace("ada", "aye")
    kill(stack, RESET.id)
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        known, unknown = (
            api.post(RESET, {"username": username}) for username in (user.username, stranger)
        )
        assert front.requests == []
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    assert known.status == 200
    assert what_an_attacker_sees(unknown) == what_an_attacker_sees(known)
    wait_until(lambda: acted(front) == [RESET.action] * 2)

    front.answer(RESET.action, **ACCOUNTS["disabled"])
    again = api.post(RESET, {"username": user.username})

    wait_until(lambda: len(acted(front)) > 2)
    assert what_an_attacker_sees(again) == what_an_attacker_sees(known)


@pytest.mark.parametrize("answer", ACCOUNTS.values(), ids=ACCOUNTS)
def test_a_confirmation_answers_every_account_alike(
    api: Api, front: CognitoFront, user: User, answer: dict[str, Any]
) -> None:
    body = confirm(user, "000000", NEW)
    ordinary = api.post(CONFIRM, body)
    ordinary.check(CODE_REFUSED)
    front.answer(CONFIRM.action, **answer)

    other = api.post(CONFIRM, body)

    assert what_an_attacker_sees(other) == what_an_attacker_sees(ordinary)


@pytest.fixture(params=["ENABLED", "LEGACY"])
def prevents_errors(stack: Stack, request: pytest.FixtureRequest) -> Iterator[bool]:
    """The app client's setting; an imported pool may have a client that reveals who exists."""
    idp = stack.client("cognito-idp")
    ids = {"UserPoolId": stack.user_pool_id, "ClientId": stack.user_pool_client_id}
    client = idp.describe_user_pool_client(**ids)["UserPoolClient"]
    kept = ids | {
        name: client[name]
        for name in ("ClientName", "ExplicitAuthFlows", "EnableTokenRevocation")
        if client.get(name)
    }
    idp.update_user_pool_client(**kept, PreventUserExistenceErrors=request.param)
    yield request.param == "ENABLED"
    idp.update_user_pool_client(**kept, PreventUserExistenceErrors="ENABLED")


def test_nobody_learns_who_exists_even_from_a_client_that_would_tell(
    api: Api, user: User, stack: Stack, prevents_errors: bool
) -> None:
    told = nullcontext() if prevents_errors else pytest.raises(ClientError, match="UserNotFound")
    with told:
        stack.client("cognito-idp").forgot_password(
            ClientId=stack.user_pool_client_id,
            Username="nobody@example.com",
            SecretHash=stack.secret_hash("nobody@example.com"),
        )
    names = (user.username, user.username.replace("ada", "aye"))

    resets = [what_an_attacker_sees(api.post(RESET, {"username": name})) for name in names]
    confirmations = [
        what_an_attacker_sees(api.post(CONFIRM, confirm(User(name, OLD), "000000", NEW)))
        for name in names
    ]

    assert resets[0] == resets[1]
    assert confirmations[0] == confirmations[1]
