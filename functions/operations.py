"""The whole API on one screen: standard library only, since every part of the project reads it."""

from enum import Enum, unique


@unique
class Operation(Enum):
    """A route, the Cognito actions behind it, whether its caller is signed in, and its limit.

    The limit is in requests a second. Cognito allows 30 calls a second for each account and
    region, over all three of these actions and all user pools, and the limits stay below it.
    """

    RESET_PASSWORD = (
        "POST",
        "/reset-password",
        ("ForgotPassword", "DescribeUserPoolClient"),
        False,
        10,
    )
    CONFIRM_RESET_PASSWORD = (
        "POST",
        "/confirm-reset-password",
        ("ConfirmForgotPassword", "DescribeUserPoolClient", "AdminUserGlobalSignOut"),
        False,
        10,
    )
    UPDATE_PASSWORD = (
        "POST",
        "/update-password",
        ("ChangePassword", "GlobalSignOut"),
        True,
        5,
    )

    def __init__(
        self,
        method: str,
        path: str,
        calls: tuple[str, ...],
        signed_in: bool,  # noqa: FBT001 - an enum's members are declared by position
        requests_per_second: int,
    ) -> None:
        self.method = method
        self.path = path
        self.calls = calls
        self.signed_in = signed_in
        self.requests_per_second = requests_per_second

    @property
    def id(self) -> str:
        """The one name of the operation: its folder, its metrics' dimension, its event file."""
        return self.name.lower()
