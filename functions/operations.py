"""The whole API on one screen: standard library only, since every part of the project reads it."""

from enum import Enum, unique
from typing import Final

SCOPE: Final = "aws.cognito.signin.user.admin"
"""What makes the authorizer accept access tokens and no ID tokens; ChangePassword asks for it."""

TABLE_COUNTS: Final = ("UpdateItem",)
TABLE_REPEATS: Final = ("PutItem", "GetItem", "DeleteItem")
EVENTS: Final = ("PutEvents",)
"""The actions of DynamoDB and EventBridge that the features beside the operations use."""


@unique
class Operation(Enum):
    """A route, the Cognito actions behind it, whether its caller is signed in, and its limits.

    The last two are requests a second, for all callers together, and attempts an hour, for one
    user. Cognito allows 30 calls a second for each account and region, over all three of these
    actions and all user pools; the sum stays below it.
    """

    RESET_PASSWORD = (
        "POST",
        "/reset-password",
        ("ForgotPassword", "DescribeUserPoolClient"),
        False,
        10,
        5,
    )
    CONFIRM_RESET_PASSWORD = (
        "POST",
        "/confirm-reset-password",
        (
            "ConfirmForgotPassword",
            "DescribeUserPoolClient",
            "DescribeUserPool",
            "AdminUserGlobalSignOut",
        ),
        False,
        10,
        10,
    )
    UPDATE_PASSWORD = (
        "POST",
        "/update-password",
        ("ChangePassword", "DescribeUserPoolClient", "DescribeUserPool", "GlobalSignOut"),
        True,
        5,
        10,
    )

    def __init__(  # noqa: PLR0917 - an enum's members are declared by position
        self,
        method: str,
        path: str,
        calls: tuple[str, ...],
        signed_in: bool,  # noqa: FBT001
        requests_per_second: int,
        attempts_per_hour: int,
    ) -> None:
        self.method = method
        self.path = path
        self.calls = calls
        self.signed_in = signed_in
        self.requests_per_second = requests_per_second
        self.attempts_per_hour = attempts_per_hour

    @property
    def changes_password(self) -> bool:
        """Only then is there a policy to read, an answer to repeat, and something to tell."""
        return "DescribeUserPool" in self.calls

    @property
    def id(self) -> str:
        """The one name of the operation: its folder, its metrics' dimension, its event file."""
        return self.name.lower()
