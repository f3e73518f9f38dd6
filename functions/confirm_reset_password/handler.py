"""Choose a new password with the code that was sent."""

from functions import problems
from functions.api.changes import Change
from functions.api.endpoint import Endpoint
from functions.fields import ClientMetadata, ConfirmationCode, Password, Username
from functions.operations import Operation
from functions.requests import Request
from functions.settings import Runtime
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class ConfirmResetPassword(Request):
    """Amplify's `ConfirmResetPasswordInput`."""

    operation = Operation.CONFIRM_RESET_PASSWORD
    username = Username(empty=problems.CONFIRM_USERNAME_MISSING)
    new_password = Password(empty=problems.CONFIRM_NEW_PASSWORD_MISSING)
    confirmation_code = ConfirmationCode(empty=problems.CONFIRM_CODE_MISSING)
    client_metadata = ClientMetadata(default={})


def confirm_reset_password(scope: Scope, request: ConfirmResetPassword) -> None:
    """Check the password, change it, end every session, and announce the change."""
    username, password = request.username, request.new_password
    change = Change(scope, "Password Reset Confirmed", username, signs_out=True)
    scope.passwords.check_rules(password, [username], typed_name=username)
    with scope.limits.attempt(request.operation), change.attempt():
        scope.passwords.check_breaches(password)
        scope.cognito.call_as_client(
            request.operation.action,
            username,
            ConfirmationCode=request.confirmation_code,
            Password=password,
            ClientMetadata=request.client_metadata,
        )
    change.complete()


def build(settings: Runtime, limits: Times = DEFAULT) -> Endpoint[ConfirmResetPassword]:
    """Return the handler of a deployment."""
    hidden = problems.CODE_REFUSED
    return Endpoint(
        ConfirmResetPassword, confirm_reset_password, settings, limits, hidden_answer=hidden
    )
