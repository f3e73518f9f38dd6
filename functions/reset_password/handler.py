"""Send a code that lets the user choose a new password."""

from typing import Final, Literal, NotRequired, TypedDict, cast

from functions.api.endpoint import endpoint
from functions.aws import cognito
from functions.fields import ClientMetadata, Username
from functions.operations import Operation
from functions.problems import RESET_USERNAME_MISSING
from functions.protection import limits
from functions.requests import Request


class ResetPassword(Request):
    """Amplify's `ResetPasswordInput`."""

    operation = Operation.RESET_PASSWORD
    username = Username(empty=RESET_USERNAME_MISSING)
    client_metadata = ClientMetadata(default={})


class CodeDeliveryDetails(TypedDict, total=False):
    """Where the code goes; missing if the username does not tell."""

    destination: str
    deliveryMedium: str
    attributeName: str


class NextStep(TypedDict):
    """What the caller does next."""

    resetPasswordStep: Literal["CONFIRM_RESET_PASSWORD_WITH_CODE", "DONE"]
    codeDeliveryDetails: NotRequired[CodeDeliveryDetails]


class ResetPasswordOutput(TypedDict):
    """Amplify's `ResetPasswordOutput`."""

    isPasswordReset: bool
    nextStep: NextStep


HIDDEN_CAUSES: Final = {
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


def hide(request: ResetPassword) -> ResetPasswordOutput:
    """Return the answer for any account, made from the username as typed."""
    local, _, domain = request.username.rpartition("@")
    if not (local and domain):
        return _describe({})
    return _describe(
        {
            "destination": f"{local[0]}***@{domain[0]}***",
            "deliveryMedium": "EMAIL",
            "attributeName": "email",
        }
    )


@endpoint(ResetPassword, hidden_causes=HIDDEN_CAUSES, hidden_answer=hide)
def handler(request: ResetPassword) -> ResetPasswordOutput:
    """Count the attempt, and let Cognito send the code."""
    limits.count(request)
    response = cognito.call_as_client(
        request, request.username, ClientMetadata=request.client_metadata
    )
    if not request.settings.reveal_user_existence:
        return hide(request)
    details = response.get("CodeDeliveryDetails", {})
    named = {name[0].lower() + name[1:]: value for name, value in details.items()}
    return _describe(cast("CodeDeliveryDetails", named))


def _describe(delivery: CodeDeliveryDetails) -> ResetPasswordOutput:
    step: NextStep = {"resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE"}
    if delivery:
        step["codeDeliveryDetails"] = delivery
    return {"isPasswordReset": False, "nextStep": step}
