"""The whole API on one screen. Every part of the project reads it."""

from enum import Enum, StrEnum, unique
from typing import Final, NamedTuple

SCOPE: Final = "aws.cognito.signin.user.admin"
"""The scope that ChangePassword requires. Only access tokens have it, so ID tokens are refused."""

SERVER_HEADER: Final = "Caller-Secret"
ADDRESS_HEADER: Final = "Caller-Address"
"""The headers of a server that calls for its users."""

WORKER: Final = "worker"
"""The name of the function that carries out queued tasks, and of its folder."""
WORKER_TIMEOUT: Final = 60
"""Seconds after which Lambda stops the worker: more than all its calls take if each is slow."""
WORKER_ATTEMPTS: Final = 6
"""Attempts at a task before its message becomes a dead letter."""

CUSTOM_MESSAGE: Final = "custom_message"
"""The name of the function that writes the messages in which Cognito sends codes."""


class SupportTask(StrEnum):
    """A task that an operator gives to the worker, by a queue that no function may send to."""

    CLEAR_LIMITS = "clear_limits"
    REQUIRE_RESET = "require_reset"
    SEND_CODE = "send_code"


class Facts(NamedTuple):
    """Everything that a row of `Operation` declares."""

    method: str
    path: str
    action: str
    """The Cognito action that carries out the operation."""
    log_message: str
    """The event that each log line reports; `outcome` tells how it ended."""
    requests_per_second: int
    """The gateway's throttle for all callers together, and its burst."""
    success: str
    """The meaning of a successful response, for the API's document."""
    status: int
    """The HTTP status of a successful response."""
    max_age: int = 0
    """Seconds for which anyone may cache a successful response; 0 if nobody may."""
    uses_client_secret: bool = False
    """Cognito requires a SECRET_HASH, so the function reads the app client's secret."""
    changes_password: bool = False
    """The operation checks a new password against the policy, and announces the change."""
    repeatable: bool = False
    """A request with an `Idempotency-Key` is carried out once."""
    signed_in: bool = False
    """The caller sends an access token, which the gateway's authorizer verifies."""
    attempts_per_hour: int = 0
    """The attempts that one user has: the default of a setting; 0 if they are not counted."""
    about_user: bool = True
    """The request names a user, or its caller is one. The log has a hash of the name."""
    has_body: bool = True
    """A request has a body, which must be JSON. Otherwise, one that comes is ignored."""
    uses_queue: bool = True
    """The worker gets what the operation leaves to it: codes, events, and sign-outs that failed."""
    queued: bool = False
    """While user existence is hidden, the worker calls Cognito."""
    other_actions: tuple[str, ...] = ()
    """Further Cognito actions, before or after the first one."""


@unique
class Operation(Facts, Enum):
    """The operations, a row each.

    Cognito allows 30 calls a second of the first three rows' actions, per account and region. The
    counts per address or user, which come first, keep that quota.

    While a single client fills a throttle, nobody else gets through, and the firewall can take
    minutes to notice. So each is far above what a client sends, and at a rate that the table takes:
    a refused attempt writes up to eight items, and a table on demand takes 4,000 a second.
    """

    RESET_PASSWORD = Facts(
        method="POST",
        path="/reset-password",
        action="ForgotPassword",
        log_message="password reset requested",
        queued=True,
        uses_client_secret=True,
        attempts_per_hour=5,
        requests_per_second=200,
        success="If the account exists, a code is on its way.",
        status=200,
    )
    CONFIRM_RESET_PASSWORD = Facts(
        method="POST",
        path="/confirm-reset-password",
        action="ConfirmForgotPassword",
        log_message="password reset confirmation requested",
        other_actions=(
            *("AdminGetUser", "AdminListUserSessions"),
            *("AdminRevokeUserSession", "AdminUserGlobalSignOut"),
        ),
        uses_client_secret=True,
        changes_password=True,
        repeatable=True,
        attempts_per_hour=10,
        requests_per_second=200,
        success="The password is changed.",
        status=204,
    )
    UPDATE_PASSWORD = Facts(
        method="POST",
        path="/update-password",
        action="ChangePassword",
        log_message="password change requested",
        other_actions=("GetUser", "ListUserSessions", "RevokeUserSession", "GlobalSignOut"),
        changes_password=True,
        repeatable=True,
        signed_in=True,
        attempts_per_hour=10,
        requests_per_second=200,
        success="The password is changed.",
        status=204,
    )
    PASSWORD_POLICY = Facts(
        method="GET",
        path="/password-policy",
        action="DescribeUserPool",
        log_message="password policy requested",
        about_user=False,
        has_body=False,
        uses_queue=False,
        requests_per_second=200,
        success="The rules that this deployment enforces.",
        status=200,
        max_age=300,
    )

    @property
    def id(self) -> str:
        """The operation's one name: its folder, its events, its log lines."""
        return self.name.lower()

    @property
    def type_name(self) -> str:
        """The same name in PascalCase: its request class, its schema, its construct."""
        return self.name.title().replace("_", "")


FUNCTIONS: Final = (*(operation.id for operation in Operation), WORKER, CUSTOM_MESSAGE)
"""Every function by its name."""


def handler_name(function: str) -> str:
    """Return the name of a function's handler, as Lambda has it."""
    return f"functions.{function}.lambda_function.handler"


LOG_MESSAGES: Final = {
    **{operation.id: operation.log_message for operation in Operation},
    WORKER: "queued task attempted",
    CUSTOM_MESSAGE: "message with a code written",
}
"""The message of each function's log line."""
