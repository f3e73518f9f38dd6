"""Send a code with which the user may choose a new password."""

from typing import Any, Final

from functions import cognito, limits
from functions.endpoint import Body, endpoint
from functions.fields import ClientMetadata, Request, Username
from functions.operations import Operation
from functions.problems import EMPTY_RESET_USERNAME
from functions.settings import settings

SILENT: Final = {
    "CodeDeliveryFailureException",
    "InvalidLambdaResponseException",
    "InvalidParameterException",
    "LimitExceededException",
    "NotAuthorizedException",
    "ReadTimeoutError",
    "UnexpectedLambdaException",
    "UnknownNotAuthorizedException",
    "UserLambdaValidationException",
    "UserNotConfirmedException",
    "UserNotFoundException",
}
"""What depends on the account. A time-out does: only a real user's triggers and mail are slow."""


class ResetPassword(Request):
    """Amplify's `ResetPasswordInput`."""

    username = Username(empty=EMPTY_RESET_USERNAME)
    client_metadata = ClientMetadata(default={})


def simulate(request: ResetPassword) -> Body:
    """The answer for any account: from the user name as typed, never from Cognito."""
    local, _, domain = request.username.rpartition("@")
    if not (local and domain):
        return _next_step({})
    return _next_step(
        {
            "destination": f"{local[0]}***@{domain[0]}***",
            "deliveryMedium": "EMAIL",
            "attributeName": "email",
        }
    )


@endpoint(Operation.RESET_PASSWORD, ResetPassword, silent=SILENT, instead=simulate)
def handler(request: ResetPassword) -> Body:
    """Amplify's `ResetPasswordOutput`."""
    limits.count(Operation.RESET_PASSWORD, request)
    answer = cognito.call_for(
        request,
        request.username,
        "ForgotPassword",
        ClientMetadata=request.client_metadata,
    )
    if not settings().reveal_user_existence:
        return simulate(request)
    delivery = answer.get("CodeDeliveryDetails", {})
    return _next_step({name[0].lower() + name[1:]: value for name, value in delivery.items()})


def _next_step(delivery: dict[str, Any]) -> Body:
    step = {"resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE"}
    return {
        "isPasswordReset": False,
        "nextStep": step | ({"codeDeliveryDetails": delivery} if delivery else {}),
    }
