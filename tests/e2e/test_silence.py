"""Under `hide`, every kind of account gets the same answer (OWASP ASVS 6.3.8).

The emulator tells few kinds apart, so the front plays what AWS documents.
"""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from botocore.exceptions import ClientError

from functions.problems import CODE_REFUSED
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, kill
from tests.e2e.conftest import NEW, OLD, Api, acted, end_pauses, what_an_attacker_sees
from tests.e2e.test_story import confirm
from tests.support import wait_until
from tests.support.front import CognitoFront

ACCOUNTS = {
    "unknown": "UserNotFoundException",
    "unconfirmed": "UserNotConfirmedException",
    "disabled": "NotAuthorizedException: User is disabled.",
    "invited": "NotAuthorizedException: User password cannot be reset in the current state.",
    "unverified": "InvalidParameterException: Cannot reset password for the user as there is no"
    " registered/verified email or phone_number",
    "over the limit": "LimitExceededException",
    "whose trigger refuses": "UserLambdaValidationException",
    "whose trigger fails": "UnexpectedLambdaException",
    "whose trigger answers nonsense": "InvalidLambdaResponseException",
    "with a broken mail role": "InvalidEmailRoleAccessPolicyException",
    "of whom Cognito says something new": "SomethingUnheardOfException",
    "with an expired code": "ExpiredCodeException",
    "with a mistyped code": "CodeMismatchException",
    "tried too often": "TooManyFailedAttemptsException",
}
"""AWS's documented answer for each kind of account, with the text if Cognito tells kinds by it."""


def test_a_reset_never_asks_cognito_before_its_answer(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    """So its answer and its time are the same for every account, whatever Cognito says."""
    functions = stack.client("lambda")
    stranger = user.username.replace("ada", "aye")
    kill(stack, RESET.id)
    functions.update_event_source_mapping(UUID=stack.mapping["UUID"], Enabled=False)
    try:
        known, unknown = (
            api.post(RESET, {"username": username}) for username in (user.username, stranger)
        )
        assert front.requests == []
    finally:
        functions.update_event_source_mapping(UUID=stack.mapping["UUID"], Enabled=True)
    assert known.status == 200
    assert what_an_attacker_sees(unknown) == what_an_attacker_sees(known)
    wait_until(lambda: acted(front) == [RESET.action] * 2)

    front.answer(RESET.action, error="NotAuthorizedException", message="User is disabled.")
    end_pauses(stack)
    again = api.post(RESET, {"username": user.username})

    wait_until(lambda: len(acted(front)) > 2)
    assert what_an_attacker_sees(again) == what_an_attacker_sees(known)


@pytest.mark.parametrize("answer", ACCOUNTS.values(), ids=ACCOUNTS)
def test_a_confirmation_answers_every_account_alike(
    api: Api, front: CognitoFront, user: User, answer: str
) -> None:
    body = confirm(user, "000000", NEW)
    ordinary = api.post(CONFIRM, body)
    ordinary.check(CODE_REFUSED)
    error, _, message = answer.partition(": ")
    front.answer(CONFIRM.action, error=error, message=message)

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
