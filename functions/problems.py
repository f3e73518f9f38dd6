"""Every failure that a caller can see.

A problem is a value, and each raise makes a new `Failure`: an exception that is kept would also
keep the frames of its last traceback, and with them a password.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from functions.operations import SCOPE

JSON: Final = "application/problem+json"
"""The media type of RFC 9457."""
URN: Final = "urn:password-service:"
MAX_ERRORS: Final = 20
"""The most entries of `errors` in one response."""
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""The headers of every response, including the gateway's own."""
EXPOSED: Final = "Retry-After, WWW-Authenticate"
"""The headers that a script of an allowed origin may read."""


class FieldError(NamedTuple):
    """A mistake in one field of the body. `pointer` is the URI fragment of RFC 9457 §3."""

    pointer: str
    rule: str
    detail: str
    params: Mapping[str, int | str] = {}
    """The rule's numbers, or the part of a name, for a client that writes its own sentence."""

    def document(self) -> dict[str, Any]:
        """Return the JSON form; an error without params has no such member."""
        document = self._asdict()
        return document if self.params else {k: v for k, v in document.items() if k != "params"}


REQUEST_RULES: Final = {
    "additionalProperties": "This field is not supported.",
    "charset": "The charset in Content-Type must be UTF-8.",
    "invisibleCharacter": (
        "{field} contains an invisible character that you could not type again. Type the password"
        " instead of pasting it."
    ),
    "ipAddress": "{field} must be exactly one IP address.",
    "json": "The body must be valid JSON in UTF-8.",
    "maxLength": "{field} must have at most {maximum} characters.",
    "maxProperties": "{field} must have at most {maximum} entries.",
    "maxSignInAge": "The user must have signed in at most {maximum} seconds ago.",
    "pattern": "{field} contains characters that are not allowed.",
    "replacementCharacter": (
        "{field} contains a character that was not sent correctly. Use a different character."
    ),
    "required": "{field} is required.",
    "signInName": (
        "Enter the email address or phone number that you sign in with. A phone number begins with"
        " + and the country code."
    ),
    "type": "{field} has the wrong type.",
    "uniqueNames": "The JSON contains a duplicate key.",
}
"""The sentence of each rule for any field of a request. Some fields have a more exact one.

The rules of a new password are in `protection/passwords.py`.
"""


class Problem(NamedTuple):
    """A kind of failure. Every text is ours, because Cognito's may echo what was sent."""

    slug: str
    """The problem's identity: one slug, one title, one meaning (RFC 9457 §3.1.1)."""
    code: str
    """The exception name of Cognito or Amplify, which several problems may share."""
    status: int
    title: str
    detail: str
    recovery_suggestion: str
    retry_after: int | None = None
    """Seconds, for the header `Retry-After`."""
    challenge: str = ""
    """The token that is missing, for the header `WWW-Authenticate` (RFC 6750 §3)."""

    @property
    def type(self) -> str:
        """The URI of the problem (RFC 9457 §3.1.1)."""
        return URN + self.slug

    def document(self, request_id: str, errors: Sequence[FieldError] = ()) -> dict[str, Any]:
        """Return the body of RFC 9457, with the members that Amplify's error parser reads."""
        return {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "message": self.detail,
            "recoverySuggestion": self.recovery_suggestion,
            "requestId": request_id,
        } | ({"errors": [error.document() for error in errors[:MAX_ERRORS]]} if errors else {})

    @property
    def headers(self) -> dict[str, str]:
        """The headers that HTTP asks for (RFC 9110 §10.2.3 and §11.6.1)."""
        headers = HEADERS | {"Content-Type": JSON}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.challenge:
            headers["WWW-Authenticate"] = f"Bearer {self.challenge}"
        return headers


class Outcome(NamedTuple):
    """A way in which an attempt can fail, and what follows. `functions/outcomes.py` has them."""

    cause: str
    """The name in logs and metrics: an exception of Cognito or botocore, or a name of ours."""
    problem: Problem
    """The problem of a caller who may know about the account."""
    of_account: bool = False
    """An account can cause it, so it is hidden from callers who must not learn about accounts."""
    final: bool = False
    """A retry cannot change it: the reason is the account, the request or the time."""
    verdict: bool = False
    """It is about the new password, so it is never hidden (OWASP ASVS 6.3.8)."""
    may_have_acted: bool = False
    """The action may have been carried out, although it failed."""
    frees_name: bool = False
    """No account can cause it, and Cognito has not acted, so a reset of the same name need not wait
    for the end of `code_pause`."""
    text: str = ""
    """The part of Cognito's text that tells this meaning of the exception, in lower case and
    with spaces for underscores."""
    exception: str = ""
    """Cognito's exception, if the cause has a name of its own."""
    is_known: bool = True
    """Somebody has thought about it. Otherwise it is hidden, logged as an error, and alarmed."""

    def failure(self, note: str | None = None, action: str | None = None) -> "Failure":
        """Return a new `Failure` with this outcome."""
        return Failure(self.problem, outcome=self, note=note, action=action)


class Failure(Exception):  # noqa: N818 - the field calls it a problem, not an error
    """A problem on its way to the caller, and what caused it, for the operator only.

    `note` is the text of the cause without any secret, and `action` the action of AWS that failed.
    """

    def __init__(
        self,
        problem: Problem,
        errors: Sequence[FieldError] = (),
        *,
        outcome: Outcome | None = None,
        note: str | None = None,
        action: str | None = None,
    ) -> None:
        super().__init__(problem.slug)
        self.problem = problem
        self.errors = errors
        self.outcome = outcome or Outcome(problem.code, problem)
        self.note = note
        self.action = action


PROBLEMS: Final[list[Problem]] = []
"""Every row of the table below."""


class _Row(NamedTuple):
    """A row of the table, without its sentences."""

    slug: str
    code: str
    status: int
    retry_after: int | None = None
    challenge: str = ""

    def says(self, detail: str, recovery_suggestion: str, *, title: str = "") -> Problem:
        """Add the row with its sentences to the table. The title is the slug, if nothing else."""
        title = title or self.slug.replace("-", " ").capitalize()
        headers = self.retry_after, self.challenge
        problem = Problem(
            self.slug, self.code, self.status, title, detail, recovery_suggestion, *headers
        )
        PROBLEMS.append(problem)
        return problem


_IN_SECONDS = "Wait a few seconds, then try again."
_IN_AN_HOUR = "Wait up to an hour before you try again."
_NEW_CODE = "Request a new code and use the latest one that you receive."
_SUPPORT = "Try again later. If the problem persists, contact support and include the request ID."
_INVALID_TOKEN = (
    f'error="invalid_token", error_description="Send an access token with the scope {SCOPE}, which'
    ' an ID token does not have"'
)
_TRY_TO_SIGN_IN = "If you chose a new password, try to sign in with it before you try again."

INVALID_REQUEST = _Row("invalid-request", "InvalidParameterException", 400).says(
    "The request is invalid.", "Check what you entered, then try again."
)
RESET_USERNAME_MISSING = _Row("reset-username-missing", "EmptyResetPasswordUsername", 400).says(
    "A username is required to reset a password.",
    "Enter your username, then try again.",
    title="Username missing",
)
CONFIRM_USERNAME_MISSING = _Row(
    "confirm-username-missing", "EmptyConfirmResetPasswordUsername", 400
).says(
    "A username is required to confirm a password reset.",
    "Enter your username, then try again.",
    title="Username missing",
)
CONFIRM_NEW_PASSWORD_MISSING = _Row(
    "confirm-new-password-missing", "EmptyConfirmResetPasswordNewPassword", 400
).says(
    "A new password is required to confirm a password reset.",
    "Enter a new password, then try again.",
    title="New password missing",
)
CONFIRM_CODE_MISSING = _Row(
    "confirm-code-missing", "EmptyConfirmResetPasswordConfirmationCode", 400
).says(
    "A confirmation code is required to confirm a password reset.",
    "Enter the code that you received, then try again.",
    title="Confirmation code missing",
)
UPDATE_PASSWORD_MISSING = _Row("update-password-missing", "EmptyUpdatePassword", 400).says(
    "Both your current and your new password are required.",
    "Enter both passwords, then try again.",
    title="Password missing",
)
REQUEST_TOO_LARGE = _Row("request-too-large", "InvalidParameterException", 413).says(
    "The request is too large.", "Shorten what you entered, then try again."
)
UNSUPPORTED_MEDIA_TYPE = _Row("unsupported-media-type", "InvalidParameterException", 415).says(
    "The request must be JSON.", "Set the Content-Type header to application/json, then try again."
)
PASSWORD_REFUSED = _Row("password-refused", "InvalidPasswordException", 400).says(
    "The new password does not meet the password rules.",
    "Choose a different password that meets every rule.",
)
PASSWORD_USED_BEFORE = _Row(
    "password-used-before", "PasswordHistoryPolicyViolationException", 400
).says(
    "This password has been used for this account before.",
    "Choose a password that you have not used for this account.",
)
CODE_MISMATCH = _Row("code-mismatch", "CodeMismatchException", 400).says(
    "The confirmation code is wrong.", _NEW_CODE, title="Wrong code"
)
CODE_REFUSED = _Row("code-refused", "CodeMismatchException", 400).says(
    "The confirmation code is wrong, has expired, or was tried too often.",
    "Check the code, or request a new one. After several attempts, wait an hour first.",
)
CODE_EXPIRED = _Row("code-expired", "ExpiredCodeException", 400).says(
    "The confirmation code has expired, was already used, or was never requested.", _NEW_CODE
)
NOT_SIGNED_IN = _Row("not-signed-in", "NotAuthorizedException", 401, challenge=_INVALID_TOKEN).says(
    "You are not signed in, or your session has ended.", "Sign in, then try again."
)
WRONG_TOKEN = _Row("wrong-token", "NotAuthorizedException", 401, challenge=_INVALID_TOKEN).says(
    "This app sent a token that cannot be used to change a password.",
    "Signing in again will not help. Contact support.",
)
SCOPE_MISSING = _Row(
    "scope-missing",
    "NotAuthorizedException",
    403,
    challenge=f'error="insufficient_scope", scope="{SCOPE}"',
).says(
    f"This app signed you in without the scope {SCOPE}, so it cannot change your password.",
    "Signing in again will not help. Contact support.",
)
SIGN_IN_TOO_OLD = _Row(
    "sign-in-too-old",
    "NotAuthorizedException",
    401,
    challenge='error="insufficient_user_authentication"',
).says(
    "You signed in too long ago to choose a new password.",
    "Sign in again, then try again.",
    title="Sign in again",
)
WRONG_PASSWORD = _Row("wrong-password", "NotAuthorizedException", 403).says(
    "The current password is wrong.",
    "Enter your current password again, or reset it if you have forgotten it.",
)
ACCOUNT_NOT_ALLOWED = _Row("account-not-allowed", "NotAuthorizedException", 403).says(
    "The password of this account cannot be changed right now.",
    "Contact support. The account may be disabled, or its invitation may still be open.",
    title="Not allowed for this account",
)
USER_NOT_CONFIRMED = _Row("user-not-confirmed", "UserNotConfirmedException", 403).says(
    "This account has not been confirmed yet.",
    "Confirm your account with the code that you received when you signed up.",
    title="Account not confirmed",
)
PASSWORD_RESET_REQUIRED = _Row(
    "password-reset-required", "PasswordResetRequiredException", 403
).says(
    "An administrator has reset this password, so you cannot change it.",
    "Request a code and use it to choose a new password.",
)
REQUEST_BLOCKED = _Row("request-blocked", "ForbiddenException", 403).says(
    "The firewall blocked this request.",
    "Try another network. If the problem persists, contact support and include the request ID.",
)
NOT_FOUND = _Row("not-found", "NotFoundException", 404).says(
    "This path does not exist.", "Check the path in the API documentation."
)
METHOD_NOT_ALLOWED = _Row("method-not-allowed", "MethodNotAllowedException", 405).says(
    "This path does not support that method.", "Use one of the methods in the Allow header."
)
USER_NOT_FOUND = _Row("user-not-found", "UserNotFoundException", 404).says(
    "There is no account with this username.",
    "Check that you entered the username that you signed up with.",
)
ATTEMPTS_EXCEEDED = _Row("attempts-exceeded", "LimitExceededException", 429, retry_after=3600).says(
    "There have been too many attempts for this account.", _IN_AN_HOUR, title="Too many attempts"
)
NETWORK_ATTEMPTS_EXCEEDED = _Row(
    "network-attempts-exceeded", "LimitExceededException", 429, retry_after=3600
).says(
    "There have been too many attempts from your network.",
    _IN_AN_HOUR,
    title="Too many attempts from this network",
)
FAILED_ATTEMPTS_EXCEEDED = _Row(
    "failed-attempts-exceeded", "TooManyFailedAttemptsException", 429, retry_after=3600
).says(
    "There have been too many failed attempts for this account.",
    _IN_AN_HOUR,
    title="Too many failed attempts",
)
TOO_MANY_REQUESTS = _Row("too-many-requests", "TooManyRequestsException", 429, retry_after=1).says(
    "The service is receiving too many requests.", _IN_SECONDS
)
REQUEST_IN_PROGRESS = _Row("request-in-progress", "RequestInProgressException", 409).says(
    "The same request is still being processed.",
    "Wait a few seconds, then send it again with the same Idempotency-Key.",
)
TRIGGER_REFUSED = _Row("trigger-refused", "UserLambdaValidationException", 400).says(
    "The operator of this service does not allow this request.",
    "Check what you entered, or contact support.",
    title="Request refused",
)
CODE_NOT_DELIVERED = _Row("code-not-delivered", "CodeDeliveryFailureException", 502).says(
    "We could not send the confirmation code.", _SUPPORT
)
TRIGGER_FAILED = _Row("trigger-failed", "UnexpectedLambdaException", 502).says(
    "An extension of the user directory failed.", _SUPPORT
)
TRIGGER_RESPONSE_INVALID = _Row(
    "trigger-response-invalid", "InvalidLambdaResponseException", 502
).says(
    "An extension of the user directory returned an invalid response.",
    _SUPPORT,
    title="Invalid trigger response",
)
INTERNAL_ERROR = _Row("internal-error", "InternalErrorException", 500).says(
    "Something went wrong on our side.", _SUPPORT
)
SERVICE_UNAVAILABLE = _Row(
    "service-unavailable", "InternalErrorException", 503, retry_after=5
).says("Part of the service is unavailable. Nothing was changed.", _IN_SECONDS)
OUTCOME_UNKNOWN = _Row("outcome-unknown", "InternalErrorException", 504).says(
    "No clear response arrived in time, so your request may or may not have gone through.",
    _TRY_TO_SIGN_IN,
)
FUNCTION_STOPPED = _Row("function-stopped", "InternalErrorException", 502).says(
    "Part of the service stopped, so your request may or may not have gone through.",
    _TRY_TO_SIGN_IN,
)
