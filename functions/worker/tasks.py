"""The worker's tasks. Each may be done twice, because a message may come twice."""

import time
from typing import Final

from functions.aws import cognito, notifications
from functions.aws.queue import Message, Task
from functions.operations import Operation
from functions.problems import CODE_EXPIRED, OUTCOME_UNKNOWN, Failure
from functions.records import Cause
from functions.settings import Settings

CODE_LIFETIME: Final = 600
"""Seconds after a request in which its code still helps the user."""
CHANGE_LIFETIME: Final = 60
"""Seconds after a request in which a change that Cognito did not confirm may still show."""


def carry_out(message: Message, settings: Settings) -> None:
    """Do what a message asks for, or raise the `Failure` that says why it could not be done."""
    match message.task:
        case Task.SEND_CODE:
            send_code(message, settings)
        case Task.END_SESSIONS:
            end_sessions(settings, **message.parameters)
        case _:
            notifications.put(settings, **message.parameters)


def send_code(message: Message, settings: Settings) -> None:
    """Have Cognito send a code, unless its user has long since given up.

    The call takes its share of a second however quick Cognito is, so that as many workers as the
    queue may have leave the rest of Cognito's quota to the other operations.
    """
    if time.time() - message.requested_at > CODE_LIFETIME:
        raise Failure(CODE_EXPIRED, cause=Cause.MESSAGE_EXPIRED)
    started = time.monotonic()
    try:
        cognito.call_as_client(
            settings,
            Operation.RESET_PASSWORD.action,
            message.parameters["username"],
            message.source_ip,
            ClientMetadata=message.parameters["client_metadata"],
        )
    finally:
        time.sleep(max(0.0, settings.code_interval - (time.monotonic() - started)))


def end_sessions(settings: Settings, username: str, changed_since: float | None) -> None:
    """Revoke every session that was opened with the old password.

    With `changed_since`, only if the account was changed since that time: nobody is signed out on
    the word of an anonymous request whose outcome is unknown.
    """
    try:
        unchanged = changed_since is not None and (
            cognito.changed_at(settings, username) < changed_since
        )
        if not unchanged:
            cognito.sign_out(settings, username)
    except Failure as failure:
        if failure.cause != "UserNotFoundException":  # nobody has a session
            raise
        return
    if unchanged and time.time() - (changed_since or 0) < CHANGE_LIFETIME:
        raise Failure(OUTCOME_UNKNOWN, cause=Cause.NOT_CHANGED_YET)
