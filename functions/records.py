"""The record of a request for the operator: the source of its log line and metrics."""

import logging
import traceback
from dataclasses import dataclass, field, fields
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

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
DEGRADED: Final = "Degraded"
"""The metric of every degradation but `EXCUSED` ones."""
REPEATED_FAILURES: Final = "RepeatedFailures"
"""The metric of a user for whom many attempts failed within an hour, from all addresses."""


class Degradation(StrEnum):
    """A side effect that failed although the request succeeded; the name of a metric."""

    SIGN_OUT_DELAYED = "SignOutDelayed"
    POLICY_UNREADABLE = "PolicyUnreadable"
    NAMES_UNREADABLE = "NamesUnreadable"
    SESSIONS_UNREADABLE = "SessionsUnreadable"
    WRONG_SERVER = "WrongServerSecret"
    LIMITS_FAILED = "LimitsFailed"
    BREACH_CHECK_FAILED = "BreachCheckFailed"
    IDEMPOTENCY_FAILED = "IdempotencyFailed"
    QUEUE_FAILED = "QueueFailed"
    EVENT_LOST = "EventLost"
    UNKNOWN_EXCEPTION = "UnknownException"


ERRORS: Final = {Degradation.EVENT_LOST, Degradation.QUEUE_FAILED, Degradation.UNKNOWN_EXCEPTION}
"""The degradations that need someone to act."""


EXCUSED: Final = {Degradation.SIGN_OUT_DELAYED, Degradation.WRONG_SERVER}
"""The degradations that `DEGRADED` leaves out: the worker makes up for the first, and anyone can
cause the second, which has an alarm of its own."""

_degrading: Final = Lock()
_NOT_LOGGED: Final = {"logged": False}


@dataclass
class Record:
    """The log line of a request or of an attempt at a task, without the members that are None.

    `started` is a time of the clock's `monotonic`, and `padding` the seconds that a refusal waited.
    """

    operation: str
    request_id: str = ""
    source_ip: str | None = None
    by_server: bool | None = None
    user_agent: str | None = None
    pool: str | None = None
    user: str | None = None
    task: str | None = None
    sender: str | None = None
    attempt: int | None = None
    retry_after: int | None = None
    status: int | None = None
    outcome: str = ""
    problem: str | None = None
    cause: str | None = None
    note: str | None = None
    rules: list[str] | None = None
    hidden: bool | None = None
    repeated: bool | None = None
    failed_repeatedly: bool | None = None
    degradations: list[str] | None = None
    stack: list[str] | None = None
    duration: float = 0.0
    started: float = field(default_factory=times.monotonic, metadata=_NOT_LOGGED)
    padding: float = field(default=0.0, metadata=_NOT_LOGGED)

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
        """Note once that a side effect failed. Threads of a request share the record."""
        with _degrading:
            self.degradations = sorted({*(self.degradations or ()), degradation})

    @property
    def metrics(self) -> set[str]:
        """The metrics that count this request, or this attempt at a task, each by one."""
        degradations = set(self.degradations or ())
        counted: dict[str, object] = {
            HIDDEN: self.hidden,
            CRASH: self.stack,
            RETRIED: self.retry_after,
            REPEATED_FAILURES: self.failed_repeatedly,
            DEGRADED: degradations - EXCUSED,
        }
        if not self.retry_after or self.attempt == 1:  # which counts the cause for all attempts
            counted |= {self.outcome: True, self.cause or "": self.cause}
        return degradations | {name for name, is_so in counted.items() if is_so}

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
        logged = [one.name for one in fields(self) if one.metadata.get("logged", True)]
        return {name: value for name in logged if (value := getattr(self, name)) is not None}
