"""Change the signed-in user's password."""

from functions.api.changes import Change
from functions.api.endpoint import Endpoint
from functions.aws.calls import call
from functions.fields import Flag, Password
from functions.operations import Operation
from functions.problems import UPDATE_PASSWORD_MISSING
from functions.requests import Request
from functions.settings import Runtime
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class UpdatePassword(Request):
    """Amplify's `UpdatePasswordInput`, and whether to end every session of the user."""

    operation = Operation.UPDATE_PASSWORD
    old_password = Password(empty=UPDATE_PASSWORD_MISSING)
    new_password = Password(empty=UPDATE_PASSWORD_MISSING)
    global_sign_out = Flag(default=False)


def update_password(scope: Scope, request: UpdatePassword) -> None:
    """Check the password, change it, end the sessions if asked to, and announce the change."""
    old, new = request.old_password, request.new_password
    signs_out = request.global_sign_out or scope.settings.force_global_sign_out
    change = Change(scope, "Password Updated", scope.caller.username, signs_out=signs_out)
    scope.passwords.check_rules(new, scope.cognito.sign_in_names(), old=old)
    with scope.limits.attempt(request.operation), change.attempt():
        scope.passwords.check_breaches(new)
        call(
            request.operation.action,
            AccessToken=scope.caller.access_token,
            PreviousPassword=old,
            ProposedPassword=new,
        )
    change.complete()


def build(settings: Runtime, limits: Times = DEFAULT) -> Endpoint[UpdatePassword]:
    """Return the handler of a deployment."""
    return Endpoint(UpdatePassword, update_password, settings, limits)
