"""The sentences of the reference about log lines and metrics."""

from collections.abc import Mapping
from typing import Final

from functions.records import MAX_USER_AGENT, Degradation

MEMBERS: Final[Mapping[str, str]] = {
    "operation": "The operation's name, or `worker`.",
    "request_id": "API Gateway's request ID, which the caller sees as `requestId`.",
    "source_ip": "The caller's address, as API Gateway saw it.",
    "by_server": "True if a server of yours named the caller's address.",
    "user_agent": f"The first {MAX_USER_AGENT} characters of the caller's `User-Agent`.",
    "pool": "The ID of the user pool.",
    "user": "The user's reference: a keyed hash, the same for each request of the user.",
    "task": "What the worker was asked to do.",
    "sender": "Who asked the support desk, by SQS: the ID of a user, or of a role and a session.",
    "attempt": "The number of this attempt.",
    "retry_after": "Seconds until the worker retries it.",
    "status": "The HTTP status of the response.",
    "outcome": "`Success`, or the `code` of the problem that the caller saw.",
    "problem": "The slug of the problem that the caller saw.",
    "cause": "The failure behind the problem, by its name in Cognito, botocore or this service.",
    "note": "The text of that failure, without any value that was sent.",
    "rules": "The rules that the request or the password broke.",
    "hidden": "True if the caller was not told about the failure.",
    "repeated": "True if it was done before: for a request with the same key, or the same task.",
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
    Degradation.SESSIONS_UNREADABLE: (
        "The user's sessions could not be listed, so an update has not ended the other ones."
    ),
    Degradation.WRONG_SERVER: (
        "A server sent a wrong secret, so the address of its connection counts as the caller's."
    ),
    Degradation.LIMITS_FAILED: (
        "An attempt was not counted or given back, or a name was reset again without a pause."
    ),
    Degradation.BREACH_CHECK_FAILED: "A breached password may have been accepted.",
    Degradation.IDEMPOTENCY_FAILED: (
        "The outcome was not stored, so a retry of this request or task may repeat it."
    ),
    Degradation.QUEUE_FAILED: (
        "The queue refused a message. An event was put directly, but another task is lost, such as"
        " a mail or a sign-out."
    ),
    Degradation.EVENT_LOST: "The queue and the event bus both refused an event.",
    Degradation.UNKNOWN_EXCEPTION: (
        "Cognito returned an exception, or a text, that this service does not know."
    ),
}

CAUSES: Final[Mapping[str, str]] = {
    "UnknownNotAuthorizedException": "Cognito refused with a text that this service does not know.",
    "WrongSecretHash": "Cognito refused the client secret, even after it was read again.",
    "DailyMailLimit": "Cognito's own mailer has sent all its mails for the day.",
    "MailRefused": "SES refused the address of a mail, so the mail was not sent.",
    "AttemptsLimit": "A limit of this service refused the attempt.",
    "NoCallerAddress": (
        "The event does not say where the request came from, so it cannot be counted."
    ),
    "NoBearerToken": "An update came without a bearer token.",
    "NoAccessToken": "An update came with a token that is no access token.",
    "NoScope": "An update came with a token that lacks the scope.",
    "ForeignPool": "An update came with a token of another user pool.",
    "ForeignClient": "An update came with a token of an app client that is not allowed.",
    "AnotherToken": "An update came with a token other than the one that the authorizer checked.",
    "SignInTooOld": "An update came too long after its user had signed in.",
    "NotASignInName": (
        "A code was not sent, because the user signs in with another name. They may get a mail."
    ),
    "Unconfirmed": (
        "A code was not sent, because the user never confirmed. They get the code of their sign-up."
    ),
    "Invited": (
        "A code was not sent, because the user never signed in. They may get their invitation."
    ),
    "Federated": "A code was not sent, because the user signs in through another provider.",
    "NoVerifiedAddress": "A code or a mail was not sent, because the user has no verified address.",
    "UserGone": "Sessions or a mail after a change found no user, although there was one.",
    "NotChangedYet": (
        "The outcome of a confirmation is unknown, and so far the account has not changed."
    ),
    "MessageExpired": "A code was not sent, because the request had waited too long.",
    "ResetRepeated": (
        "A code was not sent, because the same name was reset less than `codePause` seconds ago."
    ),
    "CodeTimedOut": (
        "A code was given up, because Cognito, or a trigger of the pool, took too long twice."
    ),
}
"""The causes of failures that neither Cognito nor botocore has a name for."""
