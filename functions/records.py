"""What a request leaves for the operator: the source of its log line and metrics."""

import logging
import traceback
from dataclasses import dataclass, field, fields
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Self

from functions import times

if TYPE_CHECKING:
    from functions.problems import Failure, Problem

NAMESPACE: Final = "PasswordService"
"""The namespace of every metric."""
SERVICE: Final = "password-service"
"""The name in logs, traces, tags and metrics."""

MAX_USER_AGENT: Final = 512
"""Characters of a `User-Agent` that logs, messages and events have. Real browsers send fewer."""

SUCCESS: Final = "Success"
"""The outcome of a request that was carried out. Any other outcome is the `code` of its problem."""
HIDDEN: Final = "Hidden"
"""The metric of a failure that the caller was not told about."""
CRASH: Final = "Crash"
"""The metric of an exception that nobody expected."""
RETRIED: Final = "Retried"
"""The metric of a message whose task failed and is tried again later."""
REPEATED_FAILURES: Final = "RepeatedFailures"
"""The metric of a user for whom many attempts failed within an hour, from all addresses."""


class Degradation(StrEnum):
    """A side effect that failed although the request succeeded; the name of a metric."""

    description: str
    """The documentation's sentence."""

    def __new__(cls, name: str, description: str) -> Self:
        """Make the name the value."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.description = description
        return member

    SIGN_OUT_DELAYED = (
        "SignOutDelayed",
        "The first attempt to end the user's sessions failed, so the worker retries it.",
    )
    POLICY_UNREADABLE = (
        "PolicyUnreadable",
        "The password policy could not be read, so an old one was used. Confirm needs one.",
    )
    NAMES_UNREADABLE = (
        "NamesUnreadable",
        "The user could not be read before a change. A password may contain a name of theirs.",
    )
    LIMITS_FAILED = (
        "LimitsFailed",
        "An attempt was not counted or given back, or a name was reset again without a pause.",
    )
    BREACH_CHECK_FAILED = "BreachCheckFailed", "A breached password may have been accepted."
    IDEMPOTENCY_FAILED = (
        "IdempotencyFailed",
        "The outcome was not stored, so a retry of this request or task may repeat it.",
    )
    QUEUE_FAILED = (
        "QueueFailed",
        "The queue refused a message. An event was put directly, but a mail or a sign-out is lost.",
    )
    EVENT_LOST = "EventLost", "The queue and the event bus both refused an event."
    UNKNOWN_EXCEPTION = (
        "UnknownException",
        "Cognito returned an exception, or a text, that this service does not know.",
    )


ERRORS: Final = {Degradation.EVENT_LOST, Degradation.QUEUE_FAILED, Degradation.UNKNOWN_EXCEPTION}
"""The degradations that need someone to act."""


_degrading: Final = Lock()


def _logged(sentence: str, *, default: Any = None) -> Any:  # noqa: ANN401 - of any type
    """Return a field of `Record` that is a member of the log line; the documentation says this."""
    return field(default=default, metadata={"logged": sentence})


@dataclass
class Record:
    """What a request or an attempt at a task did: its log line, without the members that are None.

    `started` is a time of the clock's `monotonic`, and `padding` the seconds that a refusal waited.
    """

    operation: str = field(metadata={"logged": "The operation's name, or `worker`."})
    request_id: str = _logged(
        "API Gateway's request ID, which the caller sees as `requestId`.", default=""
    )
    source_ip: str | None = _logged("The caller's address, as API Gateway saw it.")
    user_agent: str | None = _logged(
        f"The first {MAX_USER_AGENT} characters of the caller's `User-Agent`."
    )
    pool: str | None = _logged("The ID of the user pool.")
    user: str | None = _logged(
        "The user's reference: a keyed hash, the same for each request of the user."
    )
    task: str | None = _logged("What the worker was asked to do.")
    attempt: int | None = _logged("The number of this attempt.")
    retry_after: int | None = _logged("Seconds until the worker retries it.")
    status: int | None = _logged("The HTTP status of the response.")
    outcome: str = _logged(
        "`Success`, or the `code` of the problem that the caller saw.", default=""
    )
    problem: str | None = _logged("The slug of the problem that the caller saw.")
    cause: str | None = _logged(
        "The failure behind the problem, by its name in Cognito, botocore or this service."
    )
    note: str | None = _logged("The text of that failure, without any value that was sent.")
    rules: list[str] | None = _logged("The rules that the request or the password broke.")
    hidden: bool | None = _logged("True if the caller was not told about the failure.")
    repeated: bool | None = _logged(
        "True if the response was stored by an earlier request with the same key."
    )
    failed_repeatedly: bool | None = _logged(
        "True if a user has now failed so often in an hour that an event reports it."
    )
    degradations: list[str] | None = _logged("The side effects that failed.")
    stack: list[str] | None = _logged("The stack of a crash, without values.")
    duration: float = _logged("Seconds of the function's own work, without padding.", default=0.0)
    started: float = field(default_factory=times.monotonic)
    padding: float = 0.0

    def succeed(self, status: int | None = None) -> None:
        """Note that the request was carried out."""
        self.outcome, self.status = SUCCESS, status

    def fail(self, failure: "Failure", shown: "Problem", *, status: int | None = None) -> None:
        """Note a failure, and the problem that the caller sees of it."""
        self.outcome, self.problem, self.status = shown.code, shown.slug, status
        self.cause, self.note = failure.outcome.cause, failure.note
        self.hidden = shown is not failure.problem or None
        if failure.errors:
            self.rules = sorted({error.rule for error in failure.errors})

    def crash(self, error: Exception, shown: "Problem", *, status: int | None = None) -> None:
        """Note where a crash happened, without message and locals, which can hold a password."""
        self.outcome, self.problem, self.status = shown.code, shown.slug, status
        self.cause, self.stack = type(error).__name__, traceback.format_tb(error.__traceback__)

    def stop(self) -> None:
        """Note how long it took."""
        self.duration = round(times.monotonic() - self.started - self.padding, 3)

    def degrade(self, degradation: Degradation) -> None:
        """Note once that a side effect failed. What runs at the same time shares the record."""
        with _degrading:
            self.degradations = sorted({*(self.degradations or ()), degradation})

    @property
    def metrics(self) -> set[str]:
        """The metrics that count this request, or this attempt at a task, each by one."""
        hidden = [HIDDEN] if self.hidden else []
        crash = [CRASH] if self.stack else []
        retried = [RETRIED] if self.retry_after else []
        guessed = [REPEATED_FAILURES] if self.failed_repeatedly else []
        causes = [self.outcome, *([self.cause] if self.cause else [])]
        if self.retry_after and (self.attempt or 0) > 1:
            causes = []  # which the first attempt counted
        return {*causes, *hidden, *crash, *retried, *guessed, *(self.degradations or ())}

    @property
    def level(self) -> int:
        """The level of the log line: an error is what someone must look into."""
        degradations = set(self.degradations or ())
        if (self.status or 0) >= 500 or self.stack or degradations & ERRORS:  # noqa: PLR2004 - HTTP
            return logging.ERROR
        return logging.WARNING if self.hidden or self.retry_after or degradations else logging.INFO

    @property
    def members(self) -> dict[str, Any]:
        """The members that have a value, in the order of their declaration."""
        names = [one.name for one in fields(self) if "logged" in one.metadata]
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}
