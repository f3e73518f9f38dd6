"""What happens after a password change, besides ending sessions."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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
        self.signs_out = signs_out
        self.user = user

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Have the worker find out whether a change that fails was made.

        Nobody is signed out or told on the word of a request whose outcome is unknown.
        """
        started = int(time.time())
        try:
            yield
        except Failure as failure:
            if failure.problem is OUTCOME_UNKNOWN or failure.cause in TRIGGER_CAUSES:
                queue.follow_up(
                    self.request,
                    Task.CHECK_CHANGE,
                    username=self.username,
                    since=started,
                    signs_out=self.signs_out,
                    detail_type=self.detail_type,
                    detail=notifications.describe(self.request, self.user),
                )
            raise

    def announce(self) -> None:
        """Queue an event and a mail to the user."""
        notifications.announce(self.request, self.detail_type, **self.user)
        if self.request.settings.mail_from:
            queue.follow_up(self.request, Task.MAIL_CHANGE, username=self.username)
