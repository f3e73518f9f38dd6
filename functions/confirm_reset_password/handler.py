"""Choose a new password with the code that was sent."""

from typing import Final

from functions.api.endpoint import endpoint
from functions.aws import cognito, sessions
from functions.aws.changes import Change
from functions.fields import ClientMetadata, ConfirmationCode, Password, Username
from functions.operations import Operation
from functions.problems import (
    CODE_REFUSED,
    CONFIRM_CODE_MISSING,
    CONFIRM_NEW_PASSWORD_MISSING,
    CONFIRM_USERNAME_MISSING,
)
from functions.protection import limits, passwords
from functions.requests import Request


class ConfirmResetPassword(Request):
    """Amplify's `ConfirmResetPasswordInput`."""

    operation = Operation.CONFIRM_RESET_PASSWORD
    username = Username(empty=CONFIRM_USERNAME_MISSING)
    new_password = Password(empty=CONFIRM_NEW_PASSWORD_MISSING)
    confirmation_code = ConfirmationCode(empty=CONFIRM_CODE_MISSING)
    client_metadata = ClientMetadata(default={})


VERDICTS: Final = {"InvalidPasswordException", "PasswordHistoryPolicyViolationException"}
"""Cognito's verdicts on the new password. They are visible, because its owner must know them."""


@endpoint(ConfirmResetPassword, hidden_answer=CODE_REFUSED, visible_causes=VERDICTS)
def handler(request: ConfirmResetPassword) -> None:
    """Check the password, change it, end every session, and announce the change."""
    username = request.username
    change = Change(
        request, "Password Reset Confirmed", username, {"username": username}, signs_out=True
    )
    passwords.check_rules(request, request.new_password, [username])
    with limits.attempt(request), change.attempt():
        passwords.check_breaches(request, request.new_password)
        cognito.call_as_client(
            request.settings,
            request.operation.action,
            username,
            request.caller.source_ip,
            ConfirmationCode=request.confirmation_code,
            Password=request.new_password,
            ClientMetadata=request.client_metadata,
        )
    sessions.end(request, username)
    change.announce()
