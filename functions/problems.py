"""Every failure that a client can see, and which of Cognito's and the gateway's it stands for.

A problem is a value. `Failure` is what travels, made anew each time: an exception that is kept
would keep the frames of its last traceback, and with them a password.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

JSON: Final = "application/problem+json"
"""The media type of RFC 9457."""


class FieldError(NamedTuple):
    """What is wrong with one member of the body; `pointer` is the URI fragment of RFC 9457 §3."""

    pointer: str
    rule: str
    detail: str


class Problem(NamedTuple):
    """A kind of failure; every text is ours, since Cognito's may echo what was sent."""

    code: str
    status: int
    title: str
    detail: str
    recovery_suggestion: str
    retry_after: int | None = None
    """Seconds, for the header `Retry-After`."""

    def document(self, request_id: str, errors: Sequence[FieldError] = ()) -> dict[str, Any]:
        """The body of RFC 9457, with the members that Amplify's own error parser reads."""
        return {
            "type": f"urn:password-service:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "message": self.detail,
            "recoverySuggestion": self.recovery_suggestion,
            "requestId": request_id,
        } | ({"errors": [error._asdict() for error in errors]} if errors else {})

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP wants beside the body: RFC 9110 §10.2.3 and §11.6.1."""
        headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.status == 401:  # noqa: PLR2004 - HTTP's own number
            headers["WWW-Authenticate"] = "Bearer"
        return headers


class Failure(Exception):  # noqa: N818 - the field calls it a problem, not an error
    """A problem on its way to the client, and what caused it, for the operator alone.

    `cause` is the name that Cognito or botocore gave it, and `note` its text without any secret.
    """

    def __init__(
        self,
        problem: Problem,
        errors: Sequence[FieldError] = (),
        *,
        cause: str | None = None,
        note: str | None = None,
    ) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.errors = errors
        self.cause = cause or problem.code
        self.note = note


_LATER = "Wait for the time in Retry-After, then try again."
_SIGN_IN = "Sign in again and repeat the request with the new access token."
_NEW_CODE = "Ask for a new code and use the latest one that was sent."
_OPERATOR = "Try again later. If it goes on, tell the operator the requestId."

INVALID_PARAMETER = Problem(
    "InvalidParameterException",
    400,
    "Invalid request",
    "The request is not one that this operation accepts.",
    "Correct what errors lists, or else the body, and send the request again.",
)
EMPTY_RESET_USERNAME = INVALID_PARAMETER._replace(
    code="EmptyResetPasswordUsername",
    detail="username is required to reset a password.",
)
EMPTY_CONFIRM_USERNAME = INVALID_PARAMETER._replace(
    code="EmptyConfirmResetPasswordUsername",
    detail="username is required to confirm the reset of a password.",
)
EMPTY_CONFIRM_NEW_PASSWORD = INVALID_PARAMETER._replace(
    code="EmptyConfirmResetPasswordNewPassword",
    detail="newPassword is required to confirm the reset of a password.",
)
EMPTY_CONFIRM_CODE = INVALID_PARAMETER._replace(
    code="EmptyConfirmResetPasswordConfirmationCode",
    detail="confirmationCode is required to confirm the reset of a password.",
)
EMPTY_UPDATE_PASSWORD = INVALID_PARAMETER._replace(
    code="EmptyUpdatePassword",
    detail="oldPassword and newPassword are required to update a password.",
)
TOO_LARGE = INVALID_PARAMETER._replace(
    status=413,
    title="Request too large",
    detail="The body is larger than any valid request of this operation.",
    recovery_suggestion="Send only the members that the operation accepts.",
)
UNSUPPORTED_MEDIA_TYPE = INVALID_PARAMETER._replace(
    status=415,
    title="Unsupported media type",
    detail="The body of a request must be application/json.",
    recovery_suggestion="Send JSON with the header Content-Type: application/json.",
)

INVALID_PASSWORD = Problem(
    "InvalidPasswordException",
    400,
    "Password refused",
    "The new password does not meet the password policy.",
    "Choose another password, longer and less common.",
)
PASSWORD_HISTORY = Problem(
    "PasswordHistoryPolicyViolationException",
    400,
    "Password used before",
    "The new password is one that this account used before.",
    "Choose a password that the account has never had.",
)
CODE_MISMATCH = Problem(
    "CodeMismatchException",
    400,
    "Wrong code",
    "The confirmation code is wrong.",
    _NEW_CODE,
)
CODE_REFUSED = CODE_MISMATCH._replace(
    title="Code refused",
    detail="The confirmation code is wrong, expired, or was tried too often.",
    recovery_suggestion="Ask for a new code, or wait an hour if you have tried several times.",
)
EXPIRED_CODE = Problem(
    "ExpiredCodeException",
    400,
    "Expired code",
    "The confirmation code has expired, or was used already, or none was asked for.",
    _NEW_CODE,
)
NOT_SIGNED_IN = Problem(
    "NotAuthorizedException",
    401,
    "Not signed in",
    "The access token is missing, expired, revoked, or not one for this service.",
    _SIGN_IN,
)
WRONG_PASSWORD = Problem(
    "NotAuthorizedException",
    403,
    "Wrong password",
    "The old password is wrong.",
    "Type the current password again, or reset the password if it is forgotten.",
)
NOT_ALLOWED = Problem(
    "NotAuthorizedException",
    403,
    "Not allowed for this account",
    "The password of this account cannot be changed in its current state.",
    "Ask an administrator: the account may be disabled, or its invitation still open.",
)
USER_NOT_CONFIRMED = Problem(
    "UserNotConfirmedException",
    403,
    "Account not confirmed",
    "The account was never confirmed.",
    "Confirm the account with the code of its sign-up first.",
)
PASSWORD_RESET_REQUIRED = Problem(
    "PasswordResetRequiredException",
    403,
    "Password reset required",
    "An administrator has reset this password, so it can no longer be updated.",
    "Reset the password: ask for a code and confirm it.",
)
FORBIDDEN = Problem(
    "ForbiddenException",
    403,
    "Request blocked",
    "A firewall rule blocked the request.",
    "Try from another network. If it goes on, tell the operator the requestId.",
)
NOT_FOUND = Problem(
    "NotFoundException",
    404,
    "No such operation",
    "There is no operation with this method and path.",
    "Compare the method and the path with the documentation.",
)
METHOD_NOT_ALLOWED = NOT_FOUND._replace(
    code="MethodNotAllowedException",
    status=405,
    title="Method not allowed",
    detail="The operation at this path has another method.",
    recovery_suggestion="Use a method that the header Allow names.",
)
USER_NOT_FOUND = Problem(
    "UserNotFoundException",
    404,
    "No such user",
    "There is no user with this name.",
    "Compare the user name with the one used at sign-up.",
)
LIMIT_EXCEEDED = Problem(
    "LimitExceededException",
    429,
    "Too many attempts",
    "There were too many attempts for this user.",
    _LATER,
    retry_after=3600,
)
TOO_MANY_FAILED_ATTEMPTS = LIMIT_EXCEEDED._replace(
    code="TooManyFailedAttemptsException",
    detail="There were too many failed attempts for this user.",
)
TOO_MANY_REQUESTS = Problem(
    "TooManyRequestsException",
    429,
    "Too many requests",
    "The service is asked more often than it may answer.",
    _LATER,
    retry_after=1,
)
IN_PROGRESS = Problem(
    "RequestInProgressException",
    409,
    "Request in progress",
    "The same request, with the same Idempotency-Key, is still being carried out.",
    "Send it again in a few seconds, with the same Idempotency-Key, to get its answer.",
)
USER_LAMBDA_VALIDATION = Problem(
    "UserLambdaValidationException",
    400,
    "Request refused",
    "A rule of the operator refused the request.",
    "Compare the request with the operator's rules.",
)
CODE_DELIVERY_FAILURE = Problem(
    "CodeDeliveryFailureException",
    502,
    "Code not delivered",
    "The confirmation code could not be sent.",
    _OPERATOR,
)
UNEXPECTED_LAMBDA = Problem(
    "UnexpectedLambdaException",
    502,
    "Trigger failed",
    "A trigger of the user pool failed.",
    _OPERATOR,
)
INVALID_LAMBDA_RESPONSE = UNEXPECTED_LAMBDA._replace(code="InvalidLambdaResponseException")
INTERNAL_ERROR = Problem(
    "InternalErrorException",
    500,
    "Internal error",
    "The service failed, and has logged why.",
    _OPERATOR,
)
BAD_GATEWAY = INTERNAL_ERROR._replace(
    status=502,
    title="Bad gateway",
    detail="A part of the service could not be reached, or failed.",
)
OUTCOME_UNKNOWN = INTERNAL_ERROR._replace(
    status=504,
    title="Outcome unknown",
    detail="There was no clear answer in time, so the operation may or may not have happened.",
    recovery_suggestion="If you chose a new password, try to sign in with it before you repeat.",
)
KILLED = OUTCOME_UNKNOWN._replace(
    status=502,
    detail="A part of the service was stopped, so the operation may or may not have happened.",
)

COGNITO: Final[dict[str, Problem]] = {
    **{
        problem.code: problem
        for problem in (
            CODE_DELIVERY_FAILURE,
            CODE_MISMATCH,
            EXPIRED_CODE,
            FORBIDDEN,
            INVALID_LAMBDA_RESPONSE,
            INVALID_PARAMETER,
            INVALID_PASSWORD,
            LIMIT_EXCEEDED,
            PASSWORD_HISTORY,
            PASSWORD_RESET_REQUIRED,
            TOO_MANY_FAILED_ATTEMPTS,
            TOO_MANY_REQUESTS,
            UNEXPECTED_LAMBDA,
            USER_LAMBDA_VALIDATION,
            USER_NOT_CONFIRMED,
            USER_NOT_FOUND,
        )
    },
    "InternalErrorException": OUTCOME_UNKNOWN,
    "InvalidEmailRoleAccessPolicyException": INTERNAL_ERROR,
    "InvalidSmsRoleAccessPolicyException": INTERNAL_ERROR,
    "InvalidSmsRoleTrustRelationshipException": INTERNAL_ERROR,
    "OperationNotEnabledException": INTERNAL_ERROR,
    "ResourceNotFoundException": INTERNAL_ERROR,
    "ThrottlingException": TOO_MANY_REQUESTS,
}
"""Cognito's exceptions by name; `NotAuthorizedException` has several meanings, in `cognito.py`."""

GATEWAY: Final[dict[str, Problem]] = {
    "ACCESS_DENIED": NOT_SIGNED_IN,
    "EXPIRED_TOKEN": NOT_SIGNED_IN,
    "INVALID_SIGNATURE": NOT_SIGNED_IN,
    "UNAUTHORIZED": NOT_SIGNED_IN,
    "MISSING_AUTHENTICATION_TOKEN": NOT_FOUND,
    "RESOURCE_NOT_FOUND": NOT_FOUND,
    "QUOTA_EXCEEDED": TOO_MANY_REQUESTS,
    "THROTTLED": TOO_MANY_REQUESTS,
    "WAF_FILTERED": FORBIDDEN,
    "REQUEST_TOO_LARGE": TOO_LARGE,
    "UNSUPPORTED_MEDIA_TYPE": UNSUPPORTED_MEDIA_TYPE,
    "INTEGRATION_FAILURE": KILLED,
    "INTEGRATION_TIMEOUT": OUTCOME_UNKNOWN,
    "DEFAULT_4XX": INVALID_PARAMETER,
    "DEFAULT_5XX": INTERNAL_ERROR,
}
"""API Gateway's own failures by response type; it answers them without asking a function."""
