"""The mails for users to whom Cognito sends no code."""

from typing import Any

import pytest

from local.stack import Mail, Stack, User
from tests.e2e.client import RESET
from tests.e2e.conftest import OLD, Api, Fronts, acted
from tests.support.front import make_user


def last_mail(stack: Stack, user: User) -> Mail:
    """The latest mail to a user, once the worker has done what is queued."""
    assert stack.settle()
    return [mail for mail in stack.mails() if mail.to == user.username][-1]


def test_an_invited_user_gets_the_invitation_again(api: Api, stack: Stack) -> None:
    user = User("invited@example.com", OLD)
    attributes = {"email": user.username, "email_verified": "true"}
    stack.client("cognito-idp").admin_create_user(
        UserPoolId=stack.user_pool_id,
        Username=user.username,
        TemporaryPassword=OLD,
        UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
        DesiredDeliveryMediums=["EMAIL"],
    )
    invitation = last_mail(stack, user)

    assert api.post(RESET, {"username": user.username}).status == 200

    again = last_mail(stack, user)
    assert (again.subject, again.code) == (invitation.subject, None)
    assert again.id != invitation.id


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (make_user("EXTERNAL_PROVIDER"), "another provider"),
        (make_user() | {"Username": "countess"}, "different name or spelling: countess\n"),
    ],
    ids=["federated", "by username"],
)
def test_a_user_who_typed_an_address_reads_how_to_sign_in(
    api: Api, stack: Stack, fronts: Fronts, found: dict[str, Any], text: str
) -> None:
    user = User(f"{found['Username']}@example.com", OLD)
    email = {"Name": "email", "Value": user.username}
    attributes = [*(one for one in found["UserAttributes"] if one["Name"] != "email"), email]
    # Cognito does not find them by the address.
    fronts.cognito.answer("ListUsers", body={"Users": [found | {"Attributes": attributes}]})

    assert api.post(RESET, {"username": user.username}).status == 200

    mail = last_mail(stack, user)
    assert mail.subject == "Acme: How to sign in"
    assert text in mail.text


def test_a_user_who_never_confirmed_gets_the_code_of_the_sign_up(
    api: Api, stack: Stack, user: User, fronts: Fronts
) -> None:
    """The emulator's pool takes no sign-ups, so the front plays the status and the code."""
    found = make_user("UNCONFIRMED", email=user.username, email_verified="false")
    fronts.cognito.answer("AdminGetUser", body=found)
    fronts.cognito.answer("ResendConfirmationCode", body={})

    assert api.post(RESET, {"username": user.username}).status == 200

    assert last_mail(stack, user).subject == "Acme: Confirm your account first"
    assert acted(fronts.cognito) == ["ResendConfirmationCode"]
