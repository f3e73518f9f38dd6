"""Send a code that lets the user choose a new password."""

from typing import Annotated, Literal, NotRequired, TypedDict, cast

from functions.api.endpoint import Endpoint
from functions.fields import ClientMetadata, Username
from functions.messages import Task
from functions.operations import Operation
from functions.problems import RESET_USERNAME_MISSING
from functions.requests import Request
from functions.settings import Runtime
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class ResetPassword(Request):
    """Amplify's `ResetPasswordInput`."""

    operation = Operation.RESET_PASSWORD
    username = Username(empty=RESET_USERNAME_MISSING)
    client_metadata = ClientMetadata(default={})


class CodeDeliveryDetails(TypedDict, total=False):
    """Where the code goes. Left out if the username does not say."""

    destination: str
    deliveryMedium: Annotated[str, {"description": "`EMAIL` or `SMS`."}]
    attributeName: Annotated[str, {"description": "`email` or `phone_number`."}]


class NextStep(TypedDict):
    """The caller's next step."""

    resetPasswordStep: Literal["CONFIRM_RESET_PASSWORD_WITH_CODE", "DONE"]
    codeDeliveryDetails: NotRequired[CodeDeliveryDetails]


class ResetPasswordOutput(TypedDict):
    """Amplify's `ResetPasswordOutput`."""

    isPasswordReset: bool
    nextStep: NextStep


def answer_quietly(username: str) -> ResetPasswordOutput:
    """Return the same answer for every account: it depends only on the username."""
    local, _, domain = username.rpartition("@")
    if not (local and domain):
        return _describe({})
    sent_to = f"{local[0]}***@{domain[0]}***"
    return _describe({"destination": sent_to, "deliveryMedium": "EMAIL", "attributeName": "email"})


def reset_password(scope: Scope, request: ResetPassword) -> ResetPasswordOutput:
    """Queue the request, so that neither time nor response reveals the account."""
    username, metadata = request.username, request.client_metadata
    if not scope.settings.reveal_user_existence:
        scope.queue.send(Task.SEND_CODE, username=username, client_metadata=metadata)
        return answer_quietly(username)
    response = scope.cognito.call_as_client(
        request.operation.action, username, ClientMetadata=metadata
    )
    details = response.get("CodeDeliveryDetails", {})
    named = {name[0].lower() + name[1:]: value for name, value in details.items()}
    return _describe(cast("CodeDeliveryDetails", named))


def _describe(delivery: CodeDeliveryDetails) -> ResetPasswordOutput:
    step: NextStep = {"resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE"}
    if delivery:
        step["codeDeliveryDetails"] = delivery
    return {"isPasswordReset": False, "nextStep": step}


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Endpoint[ResetPassword]:
    """Return the handler of a deployment."""
    return Endpoint(ResetPassword, reset_password, settings, time_limits)
