"""Choose a new password with the code that was sent."""

from typing import Final

from functions.api.endpoint import endpoint
from functions.aws import cognito, notifications
from functions.fields import ClientMetadata, ConfirmationCode, Password, Username
from functions.operations import Operation
from functions.problems import (
    CODE_REFUSED,
    CONFIRM_CODE_MISSING,
    CONFIRM_NEW_PASSWORD_MISSING,
    CONFIRM_USERNAME_MISSING,
    OUTCOME_UNKNOWN,
    Failure,
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


HIDDEN_CAUSES: Final = {
    "CodeMismatchException",
    "ExpiredCodeException",
    "InvalidLambdaResponseException",
    "InvalidParameterException",
    "LimitExceededException",
    "NotAuthorizedException",
    "TooManyFailedAttemptsException",
    "UnexpectedLambdaException",
    "UnknownNotAuthorizedException",
    "UserLambdaValidationException",
    "UserNotConfirmedException",
    "UserNotFoundException",
}
"""What depends on the account, and must look like an unknown user's wrong code."""


@endpoint(ConfirmResetPassword, hidden_causes=HIDDEN_CAUSES, hidden_answer=CODE_REFUSED)
def handler(request: ConfirmResetPassword) -> None:
    """Check the password, change it, end every session, and announce the change."""
    passwords.check_rules(request, request.new_password, [request.username])
    counted = limits.count(request)
    passwords.check_breaches(request, request.new_password)
    try:
        cognito.call_as_client(
            request,
            request.username,
            ConfirmationCode=request.confirmation_code,
            Password=request.new_password,
            ClientMetadata=request.client_metadata,
        )
    except Failure as failure:
        if failure.problem is OUTCOME_UNKNOWN:
            # The password may have changed, and a retry does not get this far.
            end_sessions(request)
        raise
    limits.give_back(request, counted)
    end_sessions(request)
    notifications.put(request, "Password Reset Confirmed", username=request.username)


def end_sessions(request: ConfirmResetPassword) -> None:
    """Revoke every session that was opened with the old password."""
    cognito.end_sessions(
        request,
        "AdminUserGlobalSignOut",
        UserPoolId=request.settings.user_pool_id,
        Username=cognito.cognito_username(request.settings, request.username),
    )
