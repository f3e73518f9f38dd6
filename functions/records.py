"""What a request leaves for the operator: the source of its log line and metrics."""

import logging
import traceback
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from functions import times

if TYPE_CHECKING:
    from functions.problems import Failure

NAMESPACE: Final = "PasswordService"
"""Of every metric."""
SERVICE: Final = "password-service"
"""The name in logs, traces, tags and metrics."""

SUCCESS: Final = "Success"
"""The outcome of a request that was carried out. Any other outcome is the `code` of its problem."""
HIDDEN: Final = "Hidden"
"""The metric of a failure that the caller was not told about."""
CRASH: Final = "Crash"
"""The metric of an exception that nobody expected."""
RETRIED: Final = "Retried"
"""The metric of a message whose task failed and is tried again later."""


class _Described(StrEnum):
    """Names for metrics, each with a sentence for the documentation."""

    description: str

    def __new__(cls, name: str, description: str) -> Self:
        """Make the name the value."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.description = description
        return member


class Cause(_Described):
    """The causes of failures that neither Cognito nor botocore has a name for."""

    ATTEMPTS_LIMIT = "AttemptsLimit", "A limit of this service refused the attempt."
    NOT_A_SIGN_IN_NAME = (
        "NotASignInName",
        "The username was a `sub`, or an address that its user does not sign in with.",
    )
    NO_BEARER_TOKEN = "NoBearerToken", "An update came without a bearer token."
    NO_ACCESS_TOKEN = "NoAccessToken", "An update came with a token that is no access token."
    FOREIGN_POOL = "ForeignPool", "An update came with a token of another user pool."
    FOREIGN_CLIENT = (
        "ForeignClient",
        "An update came with a token of an app client that is not allowed.",
    )
    ANOTHER_TOKEN = (
        "AnotherToken",
        "An update came with a token other than the one that the authorizer checked.",
    )
    UNKNOWN_MEANING = (
        "UnknownNotAuthorizedException",
        "Cognito refused with a text that this service does not know.",
    )
    WRONG_SECRET_HASH = (
        "WrongSecretHash",
        "Cognito refused the client secret, even after it was read again.",
    )
    DAILY_MAIL_LIMIT = (
        "DailyMailLimit",
        "Cognito's own mailer has sent all its mails for the day.",
    )
    INVITED = (
        "Invited",
        "A code was not sent, because the user never signed in. They may get their invitation.",
    )
    FEDERATED = (
        "Federated",
        "A code was not sent, because the user signs in through another provider.",
    )
    NO_VERIFIED_ADDRESS = (
        "NoVerifiedAddress",
        "A code or a mail was not sent, because the user has no verified address.",
    )
    NOT_CHANGED_YET = (
        "NotChangedYet",
        "The outcome of a confirmation is unknown, and so far the account has not changed.",
    )
    MESSAGE_EXPIRED = (
        "MessageExpired",
        "A code was not sent, because the request had waited too long.",
    )


class Degradation(_Described):
    """Degradations: the request succeeded, but a side effect did not."""

    SIGN_OUT_DELAYED = (
        "SignOutDelayed",
        "The first attempt to end the user's sessions failed, so the worker retries it.",
    )
    POLICY_UNREADABLE = (
        "PolicyUnreadable",
        "The password policy could not be read, so an old one was used, or Cognito decided.",
    )
    NAMES_UNREADABLE = (
        "NamesUnreadable",
        "The user's names could not be read, so a password that contains one may be accepted.",
    )
    LIMITS_FAILED = (
        "LimitsFailed",
        "An attempt was not counted, or still counts although it succeeded.",
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


ERRORS: Final = {
    Degradation.EVENT_LOST,
    Degradation.QUEUE_FAILED,
    Degradation.UNKNOWN_EXCEPTION,
}
"""The degradations that need someone to act."""


class Record:
    """The members of a request's log line; those that are None are left out."""

    operation: Annotated[str, "The operation's name, or `worker`."]
    request_id: Annotated[str, "API Gateway's request ID, which the caller sees as `requestId`."]
    source_ip: Annotated[str | None, "The caller's address, as API Gateway saw it."] = None
    user_agent: Annotated[str | None, "The caller's `User-Agent`."] = None
    pool: Annotated[str | None, "The ID of the user pool."] = None
    user: Annotated[
        str | None, "The user's reference: a keyed hash, the same for each request of the user."
    ] = None
    task: Annotated[str | None, "What the worker was asked to do."] = None
    attempt: Annotated[int | None, "The number of this attempt."] = None
    retry_after: Annotated[int | None, "Seconds until the worker retries it."] = None
    status: Annotated[int | None, "The HTTP status of the response."] = None
    outcome: Annotated[str, "`Success`, or the `code` of the problem that the caller saw."] = ""
    problem: Annotated[str | None, "The slug of the problem that the caller saw."] = None
    cause: Annotated[
        str | None,
        "The failure behind the problem, by its name in Cognito, botocore or this service.",
    ] = None
    note: Annotated[str | None, "The text of that failure, without any value that was sent."] = None
    rules: Annotated[list[str] | None, "The rules that the request or the password broke."] = None
    hidden: Annotated[bool | None, "True if the caller was not told about the failure."] = None
    repeated: Annotated[
        bool | None, "True if the response was stored by an earlier request with the same key."
    ] = None
    degradations: Annotated[list[str] | None, "The side effects that failed."] = None
    stack: Annotated[list[str] | None, "The stack of a crash, without values."] = None
    duration: Annotated[float, "Seconds of the function's own work, without padding."] = 0.0

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.request_id = ""
        self.started = times.current().clock.monotonic()
        self.padding = 0.0

    def succeed(self, status: int | None = None) -> None:
        """Note that the request was carried out."""
        self.outcome, self.status = SUCCESS, status

    def fail(self, failure: "Failure", status: int | None = None) -> None:
        """Note what the caller sees. A hidden cause that was noted before stays."""
        self.outcome, self.problem = failure.problem.code, failure.problem.slug
        self.status = status
        self.cause = self.cause or failure.cause
        self.note = self.note or failure.note
        if failure.errors:
            self.rules = sorted({error.rule for error in failure.errors})

    def crash(self, error: Exception) -> None:
        """Note where it happened, without message and locals, which can hold a password."""
        self.stack = traceback.format_tb(error.__traceback__)
        self.cause = type(error).__name__

    def stop(self) -> None:
        """Note how long it took."""
        elapsed = times.current().clock.monotonic() - self.started
        self.duration = round(elapsed - self.padding, 3)

    def degrade(self, degradation: Degradation) -> None:
        """Note that a side effect failed."""
        self.degradations = [*(self.degradations or ()), degradation]

    @property
    def metrics(self) -> set[str]:
        """The metrics that count this request, or this attempt at a task, each by one."""
        hidden = [HIDDEN] if self.hidden else []
        crash = [CRASH] if self.stack else []
        retried = [RETRIED] if self.retry_after else []
        causes = [self.outcome, *([self.cause] if self.cause else [])]
        if self.retry_after and (self.attempt or 0) > 1:
            causes = []  # which the first attempt counted
        return {*causes, *hidden, *crash, *retried, *(self.degradations or ())}

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
        values = ((name, getattr(self, name)) for name in Record.__annotations__)
        return {name: value for name, value in values if value is not None}
