"""The worker's tasks. Each may run twice, because SQS may deliver a message twice."""

from functools import partial
from typing import Any, Final

from functions import times
from functions.aws import cognito, notifications
from functions.aws.queue import Message, Task
from functions.problems import ACCOUNT_NOT_ALLOWED, CODE_EXPIRED, OUTCOME_UNKNOWN, Failure
from functions.records import Cause, Record
from functions.settings import Settings
from functions.worker import mails
from functions.worker.dead_ends import send_or_help
from functions.worker.mails import Mail

CODE_LIFETIME: Final = 600
"""Seconds after a request during which its code is still useful."""
CHANGE_LIFETIME: Final = 60
"""Seconds to wait for a change that Cognito did not confirm."""
MAIL_MEMORY: Final = 24 * 3600
"""Seconds within which a change is mailed once."""


def carry_out(message: Message, settings: Settings, record: Record) -> None:
    """Carry out a message, or raise a `Failure` that explains why it could not be done."""
    match message.task:
        case Task.SEND_CODE:
            send_code(message, settings, record)
        case Task.END_SESSIONS:
            end_sessions(settings, **message.parameters)
        case Task.CHECK_CHANGE:
            check_change(message, settings, record, **message.parameters)
        case Task.PUT_EVENT:
            notifications.put(settings, **message.parameters)
        case _:
            mail_change(message, settings, record, **message.parameters)


def send_code(message: Message, settings: Settings, record: Record) -> None:
    """Have Cognito send a code, unless the request is too old.

    The call takes its share of a second however quick Cognito is, so that as many workers as the
    queue may have leave the rest of Cognito's quota to the other operations.
    """
    clock = times.current().clock
    if clock.time() - message.requested_at > CODE_LIFETIME:
        raise Failure(CODE_EXPIRED, cause=Cause.MESSAGE_EXPIRED)
    started = clock.monotonic()
    try:
        send_or_help(message, settings, record)
    finally:
        clock.sleep(max(0.0, settings.code_interval - (clock.monotonic() - started)))


def end_sessions(settings: Settings, username: str) -> None:
    """Revoke every session that was opened with the old password."""
    try:
        cognito.sign_out(settings, username)
    except Failure as failure:
        if failure.cause != "UserNotFoundException":  # nobody has a session
            raise


def check_change(
    message: Message,
    settings: Settings,
    record: Record,
    *,
    username: str,
    since: float,
    task: str,
    parameters: dict[str, Any],
) -> None:
    """Carry out what follows a change, if the account was changed since that time."""
    user = cognito.find_user(settings, username)
    if user and user.changed_at >= since:
        carry_out(message._replace(task=Task(task), parameters=parameters), settings, record)
    elif user and times.current().clock.time() - since < CHANGE_LIFETIME:
        raise Failure(OUTCOME_UNKNOWN, cause=Cause.NOT_CHANGED_YET)


def mail_change(message: Message, settings: Settings, record: Record, *, username: str) -> None:
    """Tell a user by mail that their password was changed, when, and from where."""
    user = cognito.find_user(settings, username)
    if not user:
        return
    if not user.verified_email:
        raise Failure(ACCOUNT_NOT_ALLOWED, cause=Cause.NO_VERIFIED_ADDRESS)
    send = partial(
        mails.send,
        settings,
        Mail.CHANGED,
        user.verified_email,
        user.locale,
        account=user.verified_email,
        time=mails.format_time(message.requested_at),
        address=message.source_ip,
    )
    # Not the request's ID, which a caller can choose.
    parts = ("change", settings.user_pool_id, user.username, str(message.requested_at))
    mails.send_once(settings, record, send, parts=parts, lifetime=MAIL_MEMORY)
