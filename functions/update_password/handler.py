"""Exchange the password of the user who is signed in."""

from functions import cognito
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
    cognito.call(
        "ChangePassword",
        AccessToken=request.access_token,
        PreviousPassword=request.old_password,
        ProposedPassword=request.new_password,
    )
    if request.global_sign_out:
        cognito.attempt("GlobalSignOut", request.incidents, AccessToken=request.access_token)
    return None
