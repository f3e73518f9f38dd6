"""Change the signed-in user's password."""

import time

from functions.api.endpoint import endpoint
from functions.aws import cognito, notifications, sessions
from functions.fields import Flag, Password
from functions.operations import Operation
from functions.problems import OUTCOME_UNKNOWN, UPDATE_PASSWORD_MISSING, Failure
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
    old, new, token = request.old_password, request.new_password, request.caller.access_token
    passwords.check_rules(request, new, cognito.sign_in_names(request), old=old)
    limits.count(request)
    passwords.check_breaches(request, new)
    started = int(time.time())
    try:
        cognito.call(
            request.operation.action,
            AccessToken=token,
            PreviousPassword=old,
            ProposedPassword=new,
        )
    except Failure as failure:
        if failure.problem is OUTCOME_UNKNOWN and request.global_sign_out:
            sessions.end_later(request, request.caller.username, changed_since=started)
        raise
    if request.global_sign_out:
        sessions.end_own(request)
    notifications.announce(request, "Password Updated", sub=request.caller.sub)
