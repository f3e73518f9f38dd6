"""The worker's tasks. Each may run twice, because SQS may deliver a message twice."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from functions import times
from functions.aws.actions import ACTIONS, CODES
from functions.aws.cognito import LIST_LAG
from functions.aws.events import EventType
from functions.messages import Message, Task
from functions.operations import WORKER_ATTEMPTS
from functions.outcomes import (
    CODE_TIMED_OUT,
    MESSAGE_EXPIRED,
    NO_VERIFIED_ADDRESS,
    NOT_CHANGED_YET,
    USER_GONE,
    USER_NOT_FOUND,
)
from functions.problems import Failure
from functions.requests import Subject
from functions.settings import Runtime
from functions.work.scope import Scope
from functions.worker import mails
from functions.worker.dead_ends import send_or_help
from functions.worker.mails import Mail

CODE_LIFETIME: Final = 600
"""Seconds after a request during which its code is still useful."""
SLOW: Final = 5
"""Seconds. An attempt at a code that takes longer has probably waited for a trigger that hangs:
Cognito calls it up to three times, for 5 s each."""
SLOW_ATTEMPTS: Final = 2
"""Attempts after which a code that fails so slowly is given up, so that a few names cannot keep
every worker busy for minutes."""
CHANGE_LIFETIME: Final = 60
"""Seconds to wait for a change that Cognito did not confirm."""
MAIL_MEMORY: Final = 24 * 3600
"""Seconds within which a change is mailed once."""


def carry_out(scope: Scope, message: Message) -> None:
    """Carry out a message, or raise a `Failure` that explains why it could not be done.

    Each task reads the parameters that it knows, because a newer version may have sent others.
    """
    _TASKS[message.task](scope, message)


@contextmanager
def pace(settings: Runtime) -> Iterator[float]:
    """Take a share of a second for a call of Cognito, however quick it is; give its start.

    So as many workers as a queue may have leave the rest of Cognito's quota to the callers.
    """
    started = times.monotonic()
    try:
        yield started
    finally:
        left = settings.code_interval - (times.monotonic() - started)
        times.current().clock.sleep(max(0.0, left))


def send_code(scope: Scope, message: Message) -> None:
    """Have Cognito send a code, unless the request is too old or follows another one too soon."""
    if times.now() - message.requested_at > CODE_LIFETIME:
        raise MESSAGE_EXPIRED.failure()
    scope.pauses.take(scope.subject)
    with pace(scope.settings) as started:
        try:
            parameters = message.parameters
            send_or_help(scope, parameters["username"], parameters["client_metadata"])
        except Failure as failure:
            sends = failure.action in ACTIONS and ACTIONS[failure.action].client is CODES
            is_slow = sends and times.monotonic() - started > SLOW
            attempt = scope.record.attempt or 1
            if failure.outcome.final or not is_slow or attempt < SLOW_ATTEMPTS:
                raise
            raise CODE_TIMED_OUT.failure(failure.note, failure.action) from None


def end_sessions(scope: Scope, message: Message) -> None:
    """Revoke every session that was opened with the old password."""
    _protect(scope, message, scope.cognito.end_sessions)


def end_other_sessions(scope: Scope, message: Message) -> None:
    """Revoke the sessions that began before a change, but for those that are kept.

    Signing out ends no session of managed login, and the lists of sessions lag.
    """
    given = message.parameters

    def revoke(username: str) -> None:
        sessions = scope.cognito.list_sessions(username)
        for session in sessions or ():
            # In a list of whole seconds, one that began right after the change is no older one.
            before = given["before"] if session.began_at % 1 else int(given["before"])
            if session.began_at < before and session.id not in given["kept"]:
                scope.cognito.revoke_session(session, username)
        if sessions is not None and given["passes"] > 1:
            again = given | {"passes": given["passes"] - 1, "delay": LIST_LAG}
            scope.queue.send(Task.END_OTHER_SESSIONS, **again)

    _protect(scope, message, revoke)


def forget_devices(scope: Scope, message: Message) -> None:
    """Forget the devices that sign in without the second factor."""
    _protect(scope, message, scope.cognito.forget_devices)


def _protect(scope: Scope, message: Message, act: Callable[[str], None]) -> None:
    """Act on the user whose password changed, again and again until it is done."""
    username = message.parameters["username"]
    try:
        act(username)
    except Failure as failure:
        if failure.outcome is USER_NOT_FOUND:
            scope.events.report(EventType.UNANNOUNCED, scope.subject, USER_GONE)
        # Whatever the reason, sessions or devices live on.
        outcome = failure.outcome._replace(final=False)
        raise outcome.failure(failure.note, failure.action) from None


def put_event(scope: Scope, message: Message) -> None:
    """Put an event on the bus, with the `sub` of its user if they exist.

    Here, nobody can see whether they do. An event without it is better than none.
    """
    detail_type, detail = message.parameters["detail_type"], message.parameters["detail"]
    if "sub" not in detail:
        try:
            user = scope.cognito.find_user(detail["username"])
        except Failure as failure:
            if not failure.outcome.final and (scope.record.attempt or 1) < WORKER_ATTEMPTS:
                raise
            user = None
        detail |= {"sub": user.sub} if user else {}
    scope.events.put(detail_type, detail)


def check_change(scope: Scope, message: Message) -> None:
    """Carry out what follows a change, if the account was changed since that time.

    Anyone can ask for a change of a name that never existed. One that `existed` must still exist.
    """
    given = message.parameters
    user, since = scope.cognito.find_user(given["username"]), given["since"]
    if user and user.changed_at >= since:
        # Nothing was done at once, so two passes end the sessions.
        parameters = given["parameters"] | {"passes": 2}
        carry_out(scope, message._replace(task=Task(given["task"]), parameters=parameters))
    elif user and times.now() - since < CHANGE_LIFETIME:
        raise NOT_CHANGED_YET.failure()
    elif given.get("existed") and not user:
        scope.events.report(EventType.UNANNOUNCED, scope.subject, USER_GONE)


def mail_change(scope: Scope, message: Message) -> None:
    """Tell a user by mail that their password was changed, when, and from where.

    `email` is the verified address from before the change, or empty if there was none. It is
    missing if Cognito did not tell it in time, and in a message of an older version.
    """
    given = message.parameters
    subject, email, locale = scope.subject, given.get("email"), given.get("locale", "")
    if email is None:
        user = scope.cognito.find_user(subject.username)
        if not user:
            scope.events.report(EventType.UNANNOUNCED, subject, USER_GONE)
        subject = Subject(user.sub, user.username)
        email, locale = user.verified_email, user.locale
    if not email:
        scope.events.report(EventType.UNANNOUNCED, subject, NO_VERIFIED_ADDRESS)
    mails.send_once(
        scope,
        Mail.CHANGED,
        email,
        # Not the request's ID, which a caller can choose.
        *("change", scope.settings.user_pool_id, subject.username, str(message.requested_at)),
        subject=subject,
        event=EventType.UNANNOUNCED,
        locale=locale,
        lifetime=MAIL_MEMORY,
        time=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(message.requested_at)),
        address=message.source_ip,
    )


_TASKS: Final[Mapping[str, Callable[[Scope, Message], None]]] = {
    Task.SEND_CODE: send_code,
    Task.END_SESSIONS: end_sessions,
    Task.END_OTHER_SESSIONS: end_other_sessions,
    Task.FORGET_DEVICES: forget_devices,
    Task.CHECK_CHANGE: check_change,
    Task.PUT_EVENT: put_event,
    Task.MAIL_CHANGE: mail_change,
}
