"""The mails for users to whom Cognito sends no code."""

import ast
import subprocess
import sys
from typing import Any

import pytest

from local import emulator
from local.emulator import REGION
from local.stack import Mail, Stack, User
from tests.e2e.client import RESET
from tests.e2e.conftest import OLD, Api, Fronts, acted
from tests.support import ROOT
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
    # The pool's own text has no product.
    assert invitation.subject == "Acme: Your new account"


@pytest.mark.parametrize(
    ("accepted", "subject"),
    [("de-CH, en;q=0.5", "Acme: Ihr neues Konto"), ("", "Acme: Your new account")],
)
def test_cognito_has_the_trigger_write_in_the_language_of_the_request(
    api: Api, stack: Stack, accepted: str, subject: str
) -> None:
    """The emulator calls the trigger for invitations only."""
    user = User(f"invited-{len(accepted)}@example.com", OLD)
    stack.client("cognito-idp").admin_create_user(
        UserPoolId=stack.user_pool_id,
        Username=user.username,
        TemporaryPassword=OLD,
        UserAttributes=[{"Name": "email", "Value": user.username}],
        MessageAction="SUPPRESS",
    )
    headers = {"Accept-Language": accepted} if accepted else {}

    assert api.post(RESET, {"username": user.username}, **headers).status == 200

    mail = last_mail(stack, user)
    assert mail.subject == subject
    missing = [text for text in (user.username, OLD, "Acme") if text not in mail.text]
    assert missing == [], mail.text
    assert "{" not in mail.text


def test_the_program_that_attaches_the_trigger_to_a_pool_changes_nothing_else(
    stack: Stack,
) -> None:
    cognito = stack.client("cognito-idp")
    made = cognito.create_user_pool(
        PoolName="imported",
        MfaConfiguration="OPTIONAL",
        AutoVerifiedAttributes=["email"],
        LambdaConfig={"PostConfirmation": f"arn:aws:lambda:{REGION}:000000000000:function:mine"},
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True, "UnusedAccountValidityDays": 3},
        Policies={"PasswordPolicy": {"MinimumLength": 20, "TemporaryPasswordValidityDays": 3}},
        UserPoolTags={"owner": "another"},
    )["UserPool"]
    function = f"arn:aws:lambda:{REGION}:000000000000:function:ours:live"

    triggers = []
    for given in ([function], []):
        printed = subprocess.run(
            [sys.executable, ROOT / "examples/attach_trigger.py", made["Id"], *given],
            env=emulator.environment(stack.endpoint, stack.key),
            capture_output=True,
            text=True,
            check=False,
        )
        assert printed.returncode == 0, printed.stderr
        # On AWS, the policy's days are those of the other setting as well.
        told = ast.literal_eval(printed.stdout) - {"AdminCreateUserConfig"}
        assert told == {"LambdaConfig"}
        pool = cognito.describe_user_pool(UserPoolId=made["Id"])["UserPool"]
        triggers.append(pool["LambdaConfig"])

    assert triggers == [
        made["LambdaConfig"] | {"CustomMessage": function},
        made["LambdaConfig"],
    ]
    cognito.delete_user_pool(UserPoolId=made["Id"])


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
