"""The sentences of the reference about the members of a log line and about degradations."""

from collections.abc import Mapping
from typing import Final

from functions.records import MAX_USER_AGENT, Degradation

MEMBERS: Final[Mapping[str, str]] = {
    "operation": "The operation's name, or `worker`.",
    "request_id": "API Gateway's request ID, which the caller sees as `requestId`.",
    "source_ip": "The caller's address, as API Gateway saw it.",
    "user_agent": f"The first {MAX_USER_AGENT} characters of the caller's `User-Agent`.",
    "pool": "The ID of the user pool.",
    "user": "The user's reference: a keyed hash, the same for each request of the user.",
    "task": "What the worker was asked to do.",
    "attempt": "The number of this attempt.",
    "retry_after": "Seconds until the worker retries it.",
    "status": "The HTTP status of the response.",
    "outcome": "`Success`, or the `code` of the problem that the caller saw.",
    "problem": "The slug of the problem that the caller saw.",
    "cause": "The failure behind the problem, by its name in Cognito, botocore or this service.",
    "note": "The text of that failure, without any value that was sent.",
    "rules": "The rules that the request or the password broke.",
    "hidden": "True if the caller was not told about the failure.",
    "repeated": "True if the response was stored by an earlier request with the same key.",
    "failed_repeatedly": (
        "True if a user has now failed so often in an hour that an event reports it."
    ),
    "degradations": "The side effects that failed.",
    "stack": "The stack of a crash, without values.",
    "duration": "Seconds of the function's own work, without padding.",
}

DEGRADATIONS: Final[Mapping[Degradation, str]] = {
    Degradation.SIGN_OUT_DELAYED: (
        "The first attempt to end the user's sessions failed, so the worker retries it."
    ),
    Degradation.POLICY_UNREADABLE: (
        "The password policy could not be read, so an old one was used. Confirm needs one."
    ),
    Degradation.NAMES_UNREADABLE: (
        "The user could not be read before a change. A password may contain a name of theirs."
    ),
    Degradation.LIMITS_FAILED: (
        "An attempt was not counted or given back, or a name was reset again without a pause."
    ),
    Degradation.BREACH_CHECK_FAILED: "A breached password may have been accepted.",
    Degradation.IDEMPOTENCY_FAILED: (
        "The outcome was not stored, so a retry of this request or task may repeat it."
    ),
    Degradation.QUEUE_FAILED: (
        "The queue refused a message. An event was put directly, but a mail or a sign-out is lost."
    ),
    Degradation.EVENT_LOST: "The queue and the event bus both refused an event.",
    Degradation.UNKNOWN_EXCEPTION: (
        "Cognito returned an exception, or a text, that this service does not know."
    ),
}
