"""Choose a new password with the code that was sent."""

from functools import partial

from functions import problems
from functions.api.changes import Change
from functions.api.endpoint import Endpoint
from functions.aws.events import EventType
from functions.fields import ClientMetadata, ConfirmationCode, NewPassword, Username
from functions.operations import Operation
from functions.requests import Request
from functions.settings import Runtime
from functions.threads import run_both
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class ConfirmResetPassword(Request):
    """Amplify's `ConfirmResetPasswordInput`."""

    operation = Operation.CONFIRM_RESET_PASSWORD
    username = Username(empty=problems.CONFIRM_USERNAME_MISSING)
    new_password = NewPassword(empty=problems.CONFIRM_NEW_PASSWORD_MISSING)
    confirmation_code = ConfirmationCode(empty=problems.CONFIRM_CODE_MISSING)
    client_metadata = ClientMetadata(default={})


def check(scope: Scope, request: ConfirmResetPassword) -> None:
    """Check the password by every rule, for any name."""
    scope.passwords.check_rules(request.new_password, [request.username], needs_policy=True)


def confirm_reset_password(scope: Scope, request: ConfirmResetPassword) -> None:
    """Change the password unless it is known to be stolen, end every session, and announce it."""
    username, password = request.username, request.new_password
    scope.cognito.read_client_secret()
    find = partial(scope.cognito.find_owner, username)
    read = partial(run_both, find, partial(scope.cognito.find_sessions, username))
    (owner, sessions), _ = run_both(read, partial(scope.passwords.check_breaches, password))
    kind = EventType.RESET_CONFIRMED
    change = Change(scope, kind, username, owner, find, is_reset=True, sessions=sessions)
    with change.attempt():
        scope.cognito.call_as_client(
            request.operation.action,
            username,
            ConfirmationCode=request.confirmation_code,
            Password=password,
            ClientMetadata=request.client_metadata,
        )
    change.complete()


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Endpoint[ConfirmResetPassword]:
    """Return the handler of a deployment."""
    return Endpoint(
        ConfirmResetPassword,
        confirm_reset_password,
        settings,
        time_limits,
        check=check,
        hidden_answer=problems.CODE_REFUSED,
    )
