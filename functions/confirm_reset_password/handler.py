"""Choose a new password with the code that was sent."""

from typing import Final, Never

from functions import cognito, events, limits, passwords, repeats
from functions.endpoint import Body, endpoint
from functions.fields import ClientMetadata, ConfirmationCode, Password, Request, Username
from functions.operations import Operation
from functions.problems import (
    CODE_REFUSED,
    EMPTY_CONFIRM_CODE,
    EMPTY_CONFIRM_NEW_PASSWORD,
    EMPTY_CONFIRM_USERNAME,
    OUTCOME_UNKNOWN,
    Failure,
)
from functions.settings import settings

SILENT: Final = {
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
"""What depends on the account, which an unknown user's wrong code must look like."""


class ConfirmResetPassword(Request):
    """Amplify's `ConfirmResetPasswordInput`."""

    username = Username(empty=EMPTY_CONFIRM_USERNAME)
    new_password = Password(empty=EMPTY_CONFIRM_NEW_PASSWORD)
    confirmation_code = ConfirmationCode(empty=EMPTY_CONFIRM_CODE)
    client_metadata = ClientMetadata(default={})


def refuse(_: ConfirmResetPassword) -> Never:
    """Answer any account that the code is not the right one."""
    raise Failure(CODE_REFUSED)


@endpoint(
    Operation.CONFIRM_RESET_PASSWORD,
    ConfirmResetPassword,
    silent=SILENT,
    instead=refuse,
)
def handler(request: ConfirmResetPassword) -> Body:
    """Nothing to return: Amplify's function is void."""
    repeats.once(Operation.CONFIRM_RESET_PASSWORD, request, lambda: confirm(request))
    return None


def confirm(request: ConfirmResetPassword) -> None:
    """Change the password, end every session, and tell."""
    passwords.check(request, request.new_password, name=request.username)
    limits.count(Operation.CONFIRM_RESET_PASSWORD, request)
    try:
        cognito.call_for(
            request,
            request.username,
            "ConfirmForgotPassword",
            ConfirmationCode=request.confirmation_code,
            Password=request.new_password,
            ClientMetadata=request.client_metadata,
        )
    except Failure as failure:
        if failure.problem is OUTCOME_UNKNOWN:
            # It may have worked, and a repeat will not come this far.
            end_sessions(request)
        raise
    end_sessions(request)
    events.put(request, "Password Reset Confirmed", username=request.username)


def end_sessions(request: ConfirmResetPassword) -> None:
    """Who had the old password, or a token that it gave, has nothing any more."""
    cognito.end_sessions(
        request,
        "AdminUserGlobalSignOut",
        UserPoolId=settings().user_pool_id,
        Username=cognito.canonical(request.username),
    )
