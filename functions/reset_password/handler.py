"""Send a code that lets the user choose a new password."""

from typing import Literal, NotRequired, TypedDict, cast

from functions.api.endpoint import endpoint
from functions.aws import cognito, queue
from functions.aws.queue import Task
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
    """Where the code goes. Left out if the username does not say."""

    destination: str
    deliveryMedium: str
    attributeName: str


class NextStep(TypedDict):
    """The caller's next step."""

    resetPasswordStep: Literal["CONFIRM_RESET_PASSWORD_WITH_CODE", "DONE"]
    codeDeliveryDetails: NotRequired[CodeDeliveryDetails]


class ResetPasswordOutput(TypedDict):
    """Amplify's `ResetPasswordOutput`."""

    isPasswordReset: bool
    nextStep: NextStep


def hide(request: ResetPassword) -> ResetPasswordOutput:
    """Return the same answer for every account, from the username as typed."""
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


@endpoint(ResetPassword)
def handler(request: ResetPassword) -> ResetPasswordOutput:
    """Count the attempt and queue it, so that neither time nor response reveals the account."""
    username, metadata = request.username, request.client_metadata
    with limits.attempt(request):
        if not request.settings.reveal_user_existence:
            queue.send(request, Task.SEND_CODE, username=username, client_metadata=metadata)
            return hide(request)
        response = cognito.call_as_client(
            request.settings,
            request.operation.action,
            username,
            request.caller.source_ip,
            ClientMetadata=metadata,
        )
    details = response.get("CodeDeliveryDetails", {})
    named = {name[0].lower() + name[1:]: value for name, value in details.items()}
    return _describe(cast("CodeDeliveryDetails", named))


def _describe(delivery: CodeDeliveryDetails) -> ResetPasswordOutput:
    step: NextStep = {"resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE"}
    if delivery:
        step["codeDeliveryDetails"] = delivery
    return {"isPasswordReset": False, "nextStep": step}
