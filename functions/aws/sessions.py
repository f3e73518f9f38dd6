"""End the sessions that were opened with an old password, which Cognito leaves valid."""

from functions.aws import cognito, queue
from functions.aws.queue import Task
from functions.problems import Failure
from functions.records import Degradation
from functions.requests import Request


def end(request: Request, username: str) -> None:
    """Revoke every token of a user. If that fails, the worker retries."""
    try:
        cognito.sign_out(request.settings, username)
    except Failure:
        _delay(request, username)


def end_own(request: Request) -> None:
    """Revoke every token of the signed-in caller, with the caller's own token."""
    try:
        cognito.call("GlobalSignOut", AccessToken=request.caller.access_token)
    except Failure:
        _delay(request, request.caller.username)


def _delay(request: Request, username: str) -> None:
    request.record.degrade(Degradation.SIGN_OUT_DELAYED)
    queue.follow_up(request, Task.END_SESSIONS, username=username)
