"""One row for each way in which an attempt can fail, and everything that follows from it.

There are rows for Cognito's exceptions, for the meanings that only Cognito's text tells apart, for
failures of the connection, and for the reasons that only this service has.
"""

from typing import Final

from functions import problems
from functions.problems import Outcome, Problem
from functions.records import Degradation


def _account(cause: str, problem: Problem, text: str = "") -> Outcome:
    """Return the row of an exception that only another state of the account would change."""
    return Outcome(cause, problem, of_account=True, final=True, text=text)


NOT_AUTHORIZED: Final = "NotAuthorizedException"

WRONG_PASSWORD: Final = _account(
    NOT_AUTHORIZED, problems.WRONG_PASSWORD, "incorrect username or password"
)
INVALID_PARAMETER: Final = _account("InvalidParameterException", problems.INVALID_REQUEST)
USER_NOT_FOUND: Final = _account("UserNotFoundException", problems.USER_NOT_FOUND)
WRONG_SECRET_HASH: Final = Outcome(
    "WrongSecretHash",
    problems.INTERNAL_ERROR,
    exception=NOT_AUTHORIZED,
    text="secret hash",
)
DAILY_MAIL_LIMIT: Final = Outcome(
    "DailyMailLimit",
    problems.CODE_NOT_DELIVERED,
    of_account=True,
    exception="LimitExceededException",
    text="daily email limit",
)
UNKNOWN_MEANING: Final = Outcome(
    "UnknownNotAuthorizedException",
    problems.ACCOUNT_NOT_ALLOWED,
    of_account=True,
    is_known=False,
)

NOT_FOUND: Final = Outcome("ResourceNotFoundException", problems.INTERNAL_ERROR, frees_name=True)
NOT_OFFERED: Final = tuple(
    Outcome(cause, problems.INTERNAL_ERROR, of_account=True)
    for cause in ("OperationNotEnabledException", "UnknownOperationException", "InvalidAction")
)
"""The failures of a pool that has not turned an action on, or of a region without it."""

COGNITO: Final = (
    # Before the other rows of the same exception, because the first one that fits is taken.
    DAILY_MAIL_LIMIT,
    WRONG_SECRET_HASH,
    WRONG_PASSWORD,
    *(
        _account(NOT_AUTHORIZED, problem, text)
        for text, problem in (
            ("attempts exceeded", problems.FAILED_ATTEMPTS_EXCEEDED),
            ("revoked", problems.NOT_SIGNED_IN),
            ("expired", problems.NOT_SIGNED_IN),
            ("required scopes", problems.SCOPE_MISSING),
            ("verify signature", problems.NOT_SIGNED_IN),
            ("access token", problems.NOT_SIGNED_IN),
            ("disabled", problems.ACCOUNT_NOT_ALLOWED),
            ("current state", problems.ACCOUNT_NOT_ALLOWED),
        )
    ),
    _account("InvalidParameterException", problems.WRONG_PASSWORD, "'previouspassword'"),
    INVALID_PARAMETER,
    USER_NOT_FOUND,
    _account("LimitExceededException", problems.ATTEMPTS_EXCEEDED),
    _account("PasswordResetRequiredException", problems.PASSWORD_RESET_REQUIRED),
    _account("UnsupportedUserStateException", problems.ACCOUNT_NOT_ALLOWED),
    _account("UserNotConfirmedException", problems.USER_NOT_CONFIRMED),
    _account("UsernameExistsException", problems.ACCOUNT_NOT_ALLOWED),
    # A trigger of the pool; the one called PostConfirmation runs after the change.
    _account("UserLambdaValidationException", problems.TRIGGER_REFUSED)._replace(
        may_have_acted=True
    ),
    *(
        Outcome(cause, problem, of_account=True, may_have_acted=True)
        for cause, problem in (
            ("InvalidLambdaResponseException", problems.TRIGGER_RESPONSE_INVALID),
            ("UnexpectedLambdaException", problems.TRIGGER_FAILED),
        )
    ),
    *(
        Outcome(cause, problem, of_account=True, verdict=True)
        for cause, problem in (
            ("InvalidPasswordException", problems.PASSWORD_REFUSED),
            ("PasswordHistoryPolicyViolationException", problems.PASSWORD_USED_BEFORE),
        )
    ),
    *(
        Outcome(cause, problem, of_account=True)
        for cause, problem in (
            ("CodeDeliveryFailureException", problems.CODE_NOT_DELIVERED),
            ("CodeMismatchException", problems.CODE_MISMATCH),
            ("ExpiredCodeException", problems.CODE_EXPIRED),
            ("ForbiddenException", problems.REQUEST_BLOCKED),
            ("InvalidEmailRoleAccessPolicyException", problems.INTERNAL_ERROR),
            ("InvalidSmsRoleAccessPolicyException", problems.INTERNAL_ERROR),
            ("InvalidSmsRoleTrustRelationshipException", problems.INTERNAL_ERROR),
            ("PreconditionNotMetException", problems.INTERNAL_ERROR),
            ("TooManyFailedAttemptsException", problems.FAILED_ATTEMPTS_EXCEEDED),
            ("UserPoolTaggingException", problems.INTERNAL_ERROR),
        )
    ),
    *NOT_OFFERED,
    # AWS says that "the user" has made too many requests, so an account may cause it.
    Outcome("TooManyRequestsException", problems.TOO_MANY_REQUESTS, of_account=True),
    # No account can cause the rest.
    NOT_FOUND,
    Outcome("ThrottlingException", problems.TOO_MANY_REQUESTS, frees_name=True),
    *(
        Outcome(cause, problems.OUTCOME_UNKNOWN, may_have_acted=True)
        for cause in (
            "InternalErrorException",
            "InternalFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        )
    ),
)
"""The failures of Cognito. The first row that fits an exception and its text is taken."""

CONNECTION: Final = {
    # TLS can break after the request was sent.
    "SSLError": Outcome("SSLError", problems.OUTCOME_UNKNOWN, may_have_acted=True),
    "ConnectionError": Outcome("ConnectionError", problems.SERVICE_UNAVAILABLE, frees_name=True),
    "OutOfTimeError": Outcome("OutOfTimeError", problems.SERVICE_UNAVAILABLE, frees_name=True),
    **{
        cause: Outcome(cause, problems.OUTCOME_UNKNOWN, may_have_acted=True)
        for cause in (
            *("HTTPClientError", "ForeignAnswerError"),
            *("ResponseParserError", "UnreadableAnswerError"),
        )
    },
    # All others, such as credentials that are missing.
    "Exception": Outcome("Exception", problems.INTERNAL_ERROR),
}
"""The failures without an answer of AWS, by botocore's exception or one that it is a kind of."""

LIMITS_FAILED: Final = Outcome(Degradation.LIMITS_FAILED, problems.SERVICE_UNAVAILABLE)
POLICY_UNREADABLE: Final = Outcome(Degradation.POLICY_UNREADABLE, problems.SERVICE_UNAVAILABLE)

OURS: Final = [UNKNOWN_MEANING, WRONG_SECRET_HASH, DAILY_MAIL_LIMIT]
"""The causes that neither Cognito nor botocore has a name for."""


def _ours(
    cause: str, problem: Problem, *, of_account: bool = False, final: bool = False
) -> Outcome:
    """Add a row to ours. `apidocs/meanings.py` says what it means."""
    OURS.append(Outcome(cause, problem, of_account=of_account, final=final))
    return OURS[-1]


def _not_for_account(cause: str) -> Outcome:
    """Add a row to ours about an account that cannot get what was asked for."""
    return _ours(cause, problems.ACCOUNT_NOT_ALLOWED, of_account=True, final=True)


ATTEMPTS_LIMIT: Final = _ours("AttemptsLimit", problems.ATTEMPTS_EXCEEDED)
NO_CALLER_ADDRESS: Final = _ours("NoCallerAddress", problems.INTERNAL_ERROR)
NO_BEARER_TOKEN: Final = _ours("NoBearerToken", problems.NOT_SIGNED_IN)
NO_ACCESS_TOKEN: Final = _ours("NoAccessToken", problems.WRONG_TOKEN)
NO_SCOPE: Final = _ours("NoScope", problems.SCOPE_MISSING)
FOREIGN_POOL: Final = _ours("ForeignPool", problems.WRONG_TOKEN)
FOREIGN_CLIENT: Final = _ours("ForeignClient", problems.WRONG_TOKEN)
ANOTHER_TOKEN: Final = _ours("AnotherToken", problems.NOT_SIGNED_IN)
SIGN_IN_TOO_OLD: Final = _ours("SignInTooOld", problems.SIGN_IN_TOO_OLD)
NOT_A_SIGN_IN_NAME: Final = _not_for_account("NotASignInName")
UNCONFIRMED: Final = _not_for_account("Unconfirmed")
INVITED: Final = _not_for_account("Invited")
FEDERATED: Final = _not_for_account("Federated")
NO_VERIFIED_ADDRESS: Final = _not_for_account("NoVerifiedAddress")
USER_GONE: Final = _not_for_account("UserGone")
NOT_CHANGED_YET: Final = _ours("NotChangedYet", problems.OUTCOME_UNKNOWN)
MESSAGE_EXPIRED: Final = _ours("MessageExpired", problems.CODE_EXPIRED, final=True)
RESET_REPEATED: Final = _ours("ResetRepeated", problems.ATTEMPTS_EXCEEDED, final=True)
CODE_TIMED_OUT: Final = _ours("CodeTimedOut", problems.CODE_NOT_DELIVERED, final=True)
MAIL_REFUSED: Final = _ours("MailRefused", problems.CODE_NOT_DELIVERED, final=True)

NEIGHBOURS: Final = {"SendEmail.BadRequestException": MAIL_REFUSED}
"""Failures of other services of AWS that a retry cannot change, by action and exception."""
