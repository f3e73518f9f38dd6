"""Change the signed-in user's password."""

from functions.api.endpoint import endpoint
from functions.aws import cognito, sessions
from functions.aws.changes import Change
from functions.fields import Flag, Password
from functions.operations import Operation
from functions.problems import UPDATE_PASSWORD_MISSING
from functions.protection import limits, passwords
from functions.requests import Request


class UpdatePassword(Request):
    """Amplify's `UpdatePasswordInput`, and whether to end every session of the user."""

    operation = Operation.UPDATE_PASSWORD
    old_password = Password(empty=UPDATE_PASSWORD_MISSING)
    new_password = Password(empty=UPDATE_PASSWORD_MISSING)
    global_sign_out = Flag(default=False)


@endpoint(UpdatePassword)
def handler(request: UpdatePassword) -> None:
    """Check the password, change it, end the sessions if asked to, and announce the change."""
    caller, old, new = request.caller, request.old_password, request.new_password
    signs_out = request.global_sign_out or request.settings.force_global_sign_out
    change = Change(
        request, "Password Updated", caller.username, {"sub": caller.sub}, signs_out=signs_out
    )
    passwords.check_rules(request, new, cognito.sign_in_names(request), old=old)
    with limits.attempt(request), change.attempt():
        passwords.check_breaches(request, new)
        cognito.call(
            request.operation.action,
            AccessToken=caller.access_token,
            PreviousPassword=old,
            ProposedPassword=new,
        )
    if signs_out:
        sessions.end_own(request)
    change.announce()
