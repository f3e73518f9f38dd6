"""Help users to whom Cognito sends no code.

No caller can see a difference, because the response was given before. Each costs an attempt, as a
code does, and one name gets one mail in ten minutes from all callers together.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn

from functions import outcomes
from functions.aws import cognito
from functions.aws.cognito import User
from functions.aws.events import EventType
from functions.names import ADDRESS
from functions.operations import Operation
from functions.problems import Failure, Outcome
from functions.requests import Subject
from functions.work.scope import Scope
from functions.worker import mails
from functions.worker.mails import Mail

PAUSE: Final = 600
"""Seconds within which one name gets one mail."""
MAILS_TO_STRANGERS: Final = 100
"""Mails an hour to addresses without an account, for all of them together."""


def send_or_help(scope: Scope, username: str, client_metadata: dict[str, str]) -> None:
    """Have Cognito send a code; if it would send none, do what helps and raise a `Failure`.

    Cognito is asked for unknown users, too: a trigger of the pool may bring them from elsewhere.
    """
    help_ = partial(_help, scope, username, client_metadata)
    with scope.pauses.free_on_failure():
        scope.cognito.read_client_secret()
        user = scope.cognito.find_user(username)
    if user and (reason := classify(user)):
        help_(user, reason)
    try:
        attribute = _send(scope, username, client_metadata)
    except Failure as failure:
        if failure.outcome is outcomes.INVALID_PARAMETER and user:
            _report(scope, username, user, outcomes.NO_VERIFIED_ADDRESS, failure.note)
        if failure.outcome is outcomes.USER_NOT_FOUND and user is None:
            _help_unknown(scope, username, client_metadata)
        raise
    # Cognito may say that it sent a code although it sent none.
    if user is None:
        user = scope.cognito.find_user(username)
    if user is None:
        _help_unknown(scope, username, client_metadata)
        raise outcomes.USER_NOT_FOUND.failure()
    if attribute and user.attributes.get(f"{attribute}_verified") != "true":
        help_(user, outcomes.NO_VERIFIED_ADDRESS)


def _send(scope: Scope, username: str, client_metadata: dict[str, str]) -> str:
    """Have Cognito send a code, and return the name of the attribute that has its address."""
    action = Operation.RESET_PASSWORD.action
    response = scope.cognito.call_as_client(action, username, ClientMetadata=client_metadata)
    attribute: str = response.get("CodeDeliveryDetails", {}).get("AttributeName", "")
    return attribute


def classify(user: User) -> Outcome | None:
    """Return why Cognito sends no code, as far as that can be seen."""
    if not user.enabled:
        return None  # the operator's decision
    if user.status == cognito.INVITED:
        return outcomes.INVITED
    if user.status == cognito.FEDERATED:
        return outcomes.FEDERATED
    if user.status == cognito.UNCONFIRMED and not user.recoverable:
        return outcomes.UNCONFIRMED
    return None if user.recoverable else outcomes.NO_VERIFIED_ADDRESS


def _help(
    scope: Scope, username: str, client_metadata: dict[str, str], user: User, reason: Outcome
) -> NoReturn:
    settings = scope.settings
    if reason is outcomes.INVITED and settings.resend_invitations:
        _resend(scope, username, user, reason, partial(scope.cognito.invite, user, username))
    elif reason is outcomes.UNCONFIRMED:
        call = partial(scope.cognito.call_as_client, "ResendConfirmationCode", user.username)
        _resend(scope, username, user, reason, partial(call, ClientMetadata=client_metadata))
        if settings.mail_from and (email := user.attributes.get("email")):
            _mail(scope, Mail.UNCONFIRMED, username, user, email)
    elif reason is outcomes.FEDERATED and settings.mail_from and user.verified_email:
        _mail(scope, Mail.FEDERATED, username, user, user.verified_email)
    else:
        _report(scope, username, user, reason)
    raise reason.failure()


def _report(
    scope: Scope, username: str, user: User, reason: Outcome, note: str | None = None
) -> NoReturn:
    scope.events.report(EventType.UNDELIVERABLE, Subject(user.sub, username), reason, note)


def _resend(
    scope: Scope, username: str, user: User, reason: Outcome, act: Callable[[], object]
) -> None:
    """Have Cognito send a user an old message again, once in ten minutes."""

    def send() -> None:
        try:
            act()
        except Failure as failure:
            if failure.outcome is outcomes.INVALID_PARAMETER:  # the pool verifies nothing
                _report(scope, username, user, reason, failure.note)
            raise

    parts = ("mail", reason.cause, scope.settings.user_pool_id, user.username)
    scope.idempotency.run_once(send, *parts, lifetime=PAUSE)


def _help_unknown(scope: Scope, username: str, client_metadata: dict[str, str]) -> None:
    """Help users who sign in with another spelling or another name, or say that there are none."""
    lower, is_address = username.lower(), ADDRESS.fullmatch(username)
    ignores_case = scope.settings.lower_case_usernames or lower == username
    other = None if ignores_case else scope.cognito.find_user(lower)
    found = [other] if other else []
    if is_address and not other:
        found = scope.cognito.find_users(username)
        found = found or ([] if ignores_case else scope.cognito.find_users(lower))
    # Anyone can claim an address, so the user who has verified it comes first.
    users = sorted((one for one in found if one.enabled), key=lambda one: not one.verified_email)
    address = users[0].verified_email if users else ""
    names = [
        lower if other else one.username
        for one in users
        if one.verified_email == address and (other or one.has_username) and not classify(one)
    ]
    if address and names:
        if other:
            scope.pauses.tell()
        _tell_names(scope, username, users[0], names)
    if users:
        # If nothing else keeps a code away, the user signs in with another name.
        reason = classify(users[0]) or outcomes.NOT_A_SIGN_IN_NAME
        _help(scope, lower if other else username, client_metadata, users[0], reason)
    if is_address and not found and scope.settings.mail_unknown_addresses:
        scope.idempotency.run_once(
            partial(_tell_stranger, scope, username),
            *("mail", Mail.NO_ACCOUNT, scope.settings.user_pool_id, _find_mailbox(username)),
            lifetime=PAUSE,
        )


def _tell_names(scope: Scope, username: str, user: User, names: list[str]) -> NoReturn:
    """Mail a user the names to sign in with, because a code would not work with the typed one."""
    if not scope.settings.mail_from:
        _report(scope, username, user, outcomes.NOT_A_SIGN_IN_NAME)
    text = ", ".join(sorted(names))
    _mail(scope, Mail.USERNAMES, username, user, user.verified_email, names=text)
    raise outcomes.NOT_A_SIGN_IN_NAME.failure()


def _tell_stranger(scope: Scope, address: str) -> None:
    """Say that there is no account. The mail holds nothing that its cause typed."""
    if scope.limits.spend("mails to strangers", MAILS_TO_STRANGERS):
        mails.send(scope, Mail.NO_ACCOUNT, address)


def _find_mailbox(address: str) -> str:
    """Return what the spellings of one mailbox have in common. To compare by, not to send to."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def _mail(scope: Scope, mail: Mail, username: str, user: User, to: str, **values: str) -> None:
    """Send a user a mail, once in ten minutes."""
    mails.send_once(
        scope,
        mail,
        to,
        *(mail, scope.settings.user_pool_id, to.lower()),
        lifetime=PAUSE,
        subject=Subject(user.sub, username),
        event=EventType.UNDELIVERABLE,
        locale=user.locale,
        **values,
    )
