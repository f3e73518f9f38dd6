"""The mails for users to whom Cognito sends no code."""

from local.stack import Mail, Stack, User
from tests.e2e.client import RESET
from tests.e2e.conftest import OLD, Api, Fronts
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


def test_a_federated_user_reads_how_to_sign_in(api: Api, stack: Stack, fronts: Fronts) -> None:
    user = User("federated@example.com", OLD)
    found = make_user("EXTERNAL_PROVIDER", email=user.username)
    # Cognito does not find them by the address.
    answer = {"Users": [found | {"Attributes": found["UserAttributes"]}]}
    fronts.cognito.answer("ListUsers", body=answer)

    assert api.post(RESET, {"username": user.username}).status == 200

    assert last_mail(stack, user).subject == "Acme: How to sign in"
