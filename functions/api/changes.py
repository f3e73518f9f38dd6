"""What follows a password change: its sessions end, and it is announced."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from functions import times
from functions.aws.queue import Task
from functions.problems import Failure
from functions.records import Degradation
from functions.work.scope import Scope


class Change:
    """A password change, and what follows whether or not Cognito confirms it.

    `username` is Cognito's own.
    """

    def __init__(self, scope: Scope, detail_type: str, username: str, *, signs_out: bool) -> None:
        self._scope = scope
        self._detail_type = detail_type
        self._username = username
        self._signs_out = signs_out

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Have the worker find out whether a change that fails was made.

        Nobody is signed out or told on the word of a request whose outcome is unknown. Each thing
        that follows has a message of its own, so that none is repeated when another one fails.
        """
        since = int(times.now())
        try:
            yield
        except Failure as failure:
            if failure.outcome.may_have_acted:
                for task, parameters in self._tasks():
                    self._scope.queue.follow_up(
                        Task.CHECK_CHANGE,
                        username=self._username,
                        since=since,
                        task=task,
                        parameters=parameters,
                    )
            raise

    def complete(self) -> None:
        """End the sessions, and tell the user and the event bus."""
        for task, parameters in self._tasks():
            if task is Task.END_SESSIONS:
                self._end_sessions()
            elif task is Task.PUT_EVENT:
                self._scope.events.announce(**parameters)
            else:
                self._scope.queue.follow_up(task, **parameters)

    def _tasks(self) -> Iterator[tuple[Task, dict[str, Any]]]:
        if self._signs_out:
            yield Task.END_SESSIONS, {"username": self._username}
        if self._scope.settings.event_bus_name:
            detail = self._scope.events.describe(**self._scope.subject.members)
            yield Task.PUT_EVENT, {"detail_type": self._detail_type, "detail": detail}
        if self._scope.settings.mail_from:
            yield Task.MAIL_CHANGE, {"username": self._username}

    def _end_sessions(self) -> None:
        try:
            self._scope.cognito.end_sessions(self._username)
        except Failure:
            self._scope.record.degrade(Degradation.SIGN_OUT_DELAYED)
            self._scope.queue.follow_up(Task.END_SESSIONS, username=self._username)
