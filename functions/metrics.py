"""What the functions count, each by operation; also by cause, under the name that Cognito has."""

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "PasswordService"
SERVICE: Final = "password-service"
SUCCESS: Final = "Success"
"""The outcome of a request that did what it asks for; any other is the code of its problem."""
ABSORBED: Final = "Absorbed"
"""A failure that the caller was not told of."""
ATTEMPTS_LIMIT: Final = "AttemptsLimit"
"""The cause of a refusal by our own limits, not by Cognito's."""


class Incident(StrEnum):
    """What failed beside an operation without undoing it; each is an alarm."""

    SIGN_OUT_FAILED = "SignOutFailed"
    """The password did change, but the user's sessions live on."""
    POLICY_UNREADABLE = "PolicyUnreadable"
    """The password was held against an old policy, or left to Cognito to judge."""
    LIMITS_FAILED = "LimitsFailed"
    """An attempt was not counted."""
    BREACH_CHECK_FAILED = "BreachCheckFailed"
    """A password passed that may be a stolen one."""
    REPEATS_FAILED = "RepeatsFailed"
    """A repeat of this request may be carried out again."""
    EVENT_FAILED = "EventFailed"
    """Nobody was told that the password changed."""
