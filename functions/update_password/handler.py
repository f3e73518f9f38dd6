"""Exchange the password of the user who is signed in."""

from functions import cognito, events, limits, passwords, repeats
from functions.endpoint import Body, endpoint
from functions.fields import Flag, Password, Request
from functions.operations import Operation
from functions.problems import EMPTY_UPDATE_PASSWORD


class UpdatePassword(Request):
    """Amplify's `UpdatePasswordInput`, and whether to end every session of the user."""

    old_password = Password(empty=EMPTY_UPDATE_PASSWORD)
    new_password = Password(empty=EMPTY_UPDATE_PASSWORD)
    global_sign_out = Flag(default=False)


@endpoint(Operation.UPDATE_PASSWORD, UpdatePassword)
def handler(request: UpdatePassword) -> Body:
    """Nothing to return: Amplify's function is void."""
    repeats.once(Operation.UPDATE_PASSWORD, request, lambda: update(request))
    return None


def update(request: UpdatePassword) -> None:
    """Change the password, end the sessions if that is wished, and tell."""
    passwords.check(
        request,
        request.new_password,
        name=request.caller.username,
        old=request.old_password,
    )
    limits.count(Operation.UPDATE_PASSWORD, request)
    cognito.call(
        "ChangePassword",
        AccessToken=request.caller.access_token,
        PreviousPassword=request.old_password,
        ProposedPassword=request.new_password,
    )
    if request.global_sign_out:
        token = request.caller.access_token
        cognito.end_sessions(request, "GlobalSignOut", AccessToken=token)
    events.put(request, "Password Updated", sub=request.caller.sub)
