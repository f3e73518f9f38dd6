"""What happens after a password change, besides ending sessions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from functions import times
from functions.aws import notifications, queue
from functions.aws.queue import Task
from functions.problems import OUTCOME_UNKNOWN, Failure
from functions.requests import Request

TRIGGER_CAUSES: Final = {
    "InvalidLambdaResponseException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
}
"""The failures of pool triggers. PostConfirmation runs after the change."""


class Change:
    """A password change, and what follows whether or not Cognito confirms it."""

    def __init__(
        self,
        request: Request,
        detail_type: str,
        username: str,
        user: dict[str, str],
        *,
        signs_out: bool,
    ) -> None:
        """`username` is Cognito's own, and `user` is what the event says of the user."""
        self.request = request
        self.detail_type = detail_type
        self.username = username
        self.user = user
        self.signs_out = signs_out

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Have the worker find out whether a change that fails was made.

        Nobody is signed out or told on the word of a request whose outcome is unknown. Each thing
        that follows has a message of its own, so that none is repeated when another one fails.
        """
        started = int(times.current().clock.time())
        try:
            yield
        except Failure as failure:
            if failure.problem is OUTCOME_UNKNOWN or failure.cause in TRIGGER_CAUSES:
                end = [(Task.END_SESSIONS, {"username": self.username})] if self.signs_out else []
                for task, parameters in (*end, *self._announcements()):
                    queue.follow_up(
                        self.request,
                        Task.CHECK_CHANGE,
                        username=self.username,
                        since=started,
                        task=task,
                        parameters=parameters,
                    )
            raise

    def announce(self) -> None:
        """Queue an event and a mail to the user."""
        for task, parameters in self._announcements():
            queued = queue.follow_up(self.request, task, **parameters)
            if not queued and task is Task.PUT_EVENT:
                notifications.put_now(self.request, **parameters)

    def _announcements(self) -> Iterator[tuple[Task, dict[str, Any]]]:
        settings = self.request.settings
        if settings.event_bus_name:
            detail = notifications.describe(self.request, self.user)
            yield Task.PUT_EVENT, {"detail_type": self.detail_type, "detail": detail}
        if settings.mail_from:
            yield Task.MAIL_CHANGE, {"username": self.username}
