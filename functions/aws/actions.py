"""One row for each action of AWS that the functions call, and everything that a call needs.

The grants of the functions, what a start prepares, and the models in the bundle follow from it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from functions.operations import Operation
    from functions.settings import Runtime


class Client(NamedTuple):
    """The time-outs, in seconds, and the attempts of some calls to a service.

    With one attempt, nothing is tried again: retrying a change that succeeded would report a false
    failure. With more, botocore's standard mode repeats what was throttled or got no answer.
    """

    service: str
    connect: float
    read: float
    attempts: int


CHANGES: Final = Client("cognito-idp", connect=1, read=4, attempts=1)
"""Calls that must not run twice. Triggers and mails may take a few seconds."""
CODES: Final = Client("cognito-idp", connect=1, read=16, attempts=1)
"""Calls that send a code: Cognito calls a trigger up to three times, for 5 s each. The worker
waits, or with `reveal` the caller."""
READS: Final = Client("cognito-idp", connect=1, read=2, attempts=3)
"""Calls that may run twice: reads and sign-outs."""


class Action(NamedTuple):
    """A row of the table."""

    name: str
    client: Client
    is_granted: bool = True
    """IAM governs it. Users call the other actions with a token, or without a signature."""
    is_prepared: bool = True
    """A start makes its client, and reads what is kept of its answer. Nobody waits for the others:
    they follow an answer, or a failure. With `GetItem`, a start opens connections."""


_DYNAMODB: Final = Client("dynamodb", connect=1, read=3, attempts=3)
_EVENTBRIDGE: Final = Client("events", connect=1, read=2, attempts=3)
_SES: Final = Client("sesv2", connect=1, read=4, attempts=1)  # the worker retries later
_SQS: Final = Client("sqs", connect=1, read=2, attempts=3)

ACTIONS: Final = {
    action.name: action
    for action in (
        Action("ForgotPassword", CODES, is_granted=False),
        Action("ConfirmForgotPassword", CHANGES, is_granted=False),
        Action("ChangePassword", CHANGES, is_granted=False),
        Action("GetUser", READS, is_granted=False),
        Action("GlobalSignOut", READS, is_granted=False),
        Action("ResendConfirmationCode", CODES, is_granted=False, is_prepared=False),
        Action("AdminCreateUser", CODES),
        Action("AdminResetUserPassword", CODES, is_prepared=False),
        Action("AdminGetUser", READS),
        Action("AdminUserGlobalSignOut", READS),
        Action("ListUserSessions", READS, is_granted=False),
        Action("RevokeUserSession", READS, is_granted=False),
        Action("AdminListUserSessions", READS),
        Action("AdminRevokeUserSession", READS, is_prepared=False),
        Action("AdminListDevices", READS, is_prepared=False),
        Action("AdminForgetDevice", READS, is_prepared=False),
        Action("DescribeUserPool", READS),
        Action("DescribeUserPoolClient", READS),
        Action("ListUsers", READS),
        Action("DeleteItem", _DYNAMODB),
        Action("GetItem", _DYNAMODB),
        Action("PutItem", _DYNAMODB),
        Action("UpdateItem", _DYNAMODB),
        Action("PutEvents", _EVENTBRIDGE, is_prepared=False),
        Action("SendEmail", _SES, is_prepared=False),
        Action("SendMessage", _SQS),
        Action("SendMessageBatch", _SQS, is_granted=False),  # the grant of SendMessage allows it
        Action("ChangeMessageVisibility", _SQS, is_prepared=False),
    )
}


def of_operation(operation: "Operation", settings: "Runtime") -> Iterator[Action]:
    """Yield every action that an operation's function may call with these settings."""
    called = not (operation.queued and not settings.reveal_user_existence)
    counted = operation.attempts_per_hour and settings.limits
    needed = (
        (called, (operation.action, *operation.other_actions)),
        (called and operation.uses_client_secret, ("DescribeUserPoolClient",)),
        (operation.changes_password, ("DescribeUserPool",)),
        (operation.repeatable, ("PutItem", "UpdateItem", "DeleteItem")),
        (counted, ("GetItem",)),
        (counted and not operation.repeatable, ("UpdateItem",)),
        (operation.uses_queue, ("SendMessage", "SendMessageBatch")),
        (operation.uses_queue and settings.event_bus_name, ("PutEvents",)),
    )
    yield from (ACTIONS[name] for is_needed, names in needed if is_needed for name in names)


def of_worker(settings: "Runtime") -> Iterator[Action]:
    """Yield every action that the worker may call with these settings."""
    needed = (
        (True, ("ForgotPassword", "DescribeUserPoolClient", "AdminGetUser", "ListUsers")),
        (True, ("ResendConfirmationCode", "AdminUserGlobalSignOut", "ChangeMessageVisibility")),
        (True, ("AdminListDevices", "AdminForgetDevice", "PutItem", "UpdateItem", "DeleteItem")),
        (True, ("AdminListUserSessions", "AdminRevokeUserSession", "SendMessage")),
        (True, ("AdminResetUserPassword",)),
        (settings.resend_invitations, ("AdminCreateUser",)),
        (settings.mail_from, ("SendEmail",)),
        (settings.event_bus_name, ("PutEvents", "SendMessageBatch")),
    )
    yield from (ACTIONS[name] for is_needed, names in needed if is_needed for name in names)
