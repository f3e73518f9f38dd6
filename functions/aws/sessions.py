"""The end of the sessions that were opened with an old password, which Cognito leaves valid."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from functions.aws import cognito, queue
from functions.aws.queue import Task
from functions.problems import OUTCOME_UNKNOWN, Failure
from functions.records import Degradation
from functions.requests import Request

TRIGGER_CAUSES: Final = {
    "InvalidLambdaResponseException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
}
"""The failures of a pool's trigger. The one that follows a confirmation runs after the change."""


def end(request: Request, username: str) -> None:
    """Revoke every token of a user; if that fails, the worker tries again."""
    try:
        cognito.sign_out(request.settings, username)
    except Failure:
        _delay(request, username)


def end_own(request: Request) -> None:
    """Revoke every token of the caller in the same way, as the caller may do with one of them."""
    try:
        cognito.call("GlobalSignOut", AccessToken=request.caller.access_token)
    except Failure:
        _delay(request, request.caller.username)


@contextmanager
def end_if_changed(request: Request, username: str, *, wanted: bool = True) -> Iterator[None]:
    """Have the worker end the sessions if a change that fails turns out to be made.

    Nobody is signed out on the word of a request whose outcome is unknown.
    """
    started = int(time.time())
    try:
        yield
    except Failure as failure:
        unknown = failure.problem is OUTCOME_UNKNOWN or failure.cause in TRIGGER_CAUSES
        if wanted and unknown:
            parameters = {"username": username, "changed_since": started}
            queue.follow_up(request, Task.END_SESSIONS, **parameters)
        raise


def _delay(request: Request, username: str) -> None:
    request.record.degrade(Degradation.SIGN_OUT_DELAYED)
    queue.follow_up(request, Task.END_SESSIONS, username=username, changed_since=None)
