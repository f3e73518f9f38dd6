"""The tasks of the support desk, which operators start by a queue of its own.

SQS says who asked. A body says only what to do, for whom, and under which ID.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from functions import times
from functions.aws.cognito import User
from functions.aws.events import EventType
from functions.messages import Message, Task
from functions.operations import SupportTask
from functions.outcomes import USER_NOT_FOUND
from functions.problems import Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import SUCCESS
from functions.requests import Subject
from functions.settings import Runtime
from functions.work.scope import Scope
from functions.worker import mails, tasks
from functions.worker.dead_ends import classify
from functions.worker.mails import Mail


def read(body: str, settings: Runtime) -> Message:
    """Return the message of a task, or raise what its body makes Python raise."""
    given = json.loads(body)
    task, username, id_ = SupportTask(given["task"]), given["username"], given["request_id"]
    user = keyed_hash(settings.pseudonym_key, "audit", Subject(username=username).key)
    parameters = {"username": username, "client_metadata": {}}
    # A list may wait for days, and its codes are not too old then.
    return Message(task, id_, "", user, parameters, requested_at=times.now())


def carry_out(scope: Scope, message: Message) -> None:
    """Carry out a task, and tell the event bus who asked for it and what came of it."""
    try:
        _TASKS[message.task](scope, message)
    except Failure as failure:
        if failure.outcome.final:
            _announce(scope, message, failure.outcome.cause)
        raise
    _announce(scope, message, SUCCESS)


def _announce(scope: Scope, message: Message, outcome: str) -> None:
    about = {"task": message.task, "outcome": outcome, "sender": scope.record.sender or ""}
    detail = scope.events.describe(scope.subject, **about)
    scope.events.announce(EventType.SUPPORT_FINISHED, detail)


def _find(scope: Scope) -> User:
    if (user := scope.cognito.find_user(scope.subject.username)) is None:
        raise USER_NOT_FOUND.failure()
    return user


def _clear_limits(scope: Scope, _: Message) -> None:
    """Clear the limits of a user under each name that is counted."""
    user = _find(scope)
    scope.limits.clear({scope.subject.username, user.sub, *user.names})


def _require_reset(scope: Scope, message: Message) -> None:
    """Make the password and the sessions of a user useless, and tell the user.

    Cognito refuses the password first, so that nobody opens another session with it. The sessions
    also end if there is no password that it can refuse.
    """
    user, id_ = _find(scope), message.request_id
    settings = scope.settings
    parts = settings.user_pool_id, user.username, id_
    with tasks.pace(settings):
        reason = classify(user)
        refusal = reason.failure() if reason else None
        try:
            if not refusal:
                act = partial(scope.cognito.require_reset, user.username)
                # The user may have a new password when the message comes again.
                scope.idempotency.run_once(act, "reset", *parts, lifetime=tasks.MAIL_MEMORY)
        except Failure as failure:
            if not failure.outcome.final:
                raise
            refusal = failure
        given = {"username": user.username, "before": times.now(), "kept": [], "passes": 2}
        sessions = message._replace(task=Task.END_OTHER_SESSIONS, parameters=given)
        tasks.end_sessions(scope, sessions)
        tasks.end_other_sessions(scope, sessions)
    if refusal:
        raise refusal
    if settings.mail_from and user.verified_email:
        mails.send_once(
            scope,
            Mail.RESET_REQUIRED,
            user.verified_email,
            *("reset", *parts),
            subject=Subject(user.sub, user.username),
            event=EventType.UNANNOUNCED,
            locale=user.locale,
            lifetime=tasks.MAIL_MEMORY,
        )


_TASKS: Final[Mapping[str, Callable[[Scope, Message], None]]] = {
    SupportTask.CLEAR_LIMITS: _clear_limits,
    SupportTask.REQUIRE_RESET: _require_reset,
    SupportTask.SEND_CODE: tasks.send_code,
}
