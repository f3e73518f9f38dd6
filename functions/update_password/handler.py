"""Change the signed-in user's password."""

from functools import partial

from functions.api.changes import Change
from functions.api.endpoint import Endpoint
from functions.aws.calls import call
from functions.aws.cognito import User
from functions.fields import Flag, Password
from functions.operations import Operation
from functions.problems import UPDATE_PASSWORD_MISSING
from functions.requests import Request
from functions.settings import Runtime
from functions.threads import run_both
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class UpdatePassword(Request):
    """Amplify's `UpdatePasswordInput`, and whether to end every session of the user."""

    operation = Operation.UPDATE_PASSWORD
    old_password = Password(empty=UPDATE_PASSWORD_MISSING)
    new_password = Password(empty=UPDATE_PASSWORD_MISSING)
    global_sign_out = Flag(default=False)


def check(scope: Scope, request: UpdatePassword) -> None:
    """Check the password by every rule, with the username in the token as the only name."""
    names = [scope.caller.username]
    scope.passwords.check_rules(request.new_password, names, old=request.old_password)


def check_names(scope: Scope, request: UpdatePassword) -> User | None:
    """Check the password by the user's other names, and return the user if Cognito tells them.

    Where users sign in by their email address, the username in a token is only the `sub`.
    """
    owner = scope.cognito.find_caller()
    if owner:
        old = request.old_password
        scope.passwords.check_rules(request.new_password, owner.names, old=old)
    return owner


def update_password(scope: Scope, request: UpdatePassword) -> None:
    """Change the password, end the sessions if asked to, and announce the change."""
    old, new = request.old_password, request.new_password
    owner, _ = run_both(
        partial(check_names, scope, request), partial(scope.passwords.check_breaches, new)
    )
    signs_out = request.global_sign_out or scope.settings.force_global_sign_out
    find, username = scope.cognito.find_caller, scope.caller.username
    change = Change(scope, "Password Updated", username, owner, find, signs_out=signs_out)
    with change.attempt():
        call(
            request.operation.action,
            AccessToken=scope.caller.access_token,
            PreviousPassword=old,
            ProposedPassword=new,
        )
    change.complete()


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Endpoint[UpdatePassword]:
    """Return the handler of a deployment."""
    return Endpoint(UpdatePassword, update_password, settings, time_limits, check=check)
