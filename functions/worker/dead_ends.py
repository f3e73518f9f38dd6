"""Help users to whom Cognito sends no code.

No caller can see a difference, because the response was given before. Each costs an attempt, as a
code does, and one name gets one mail in ten minutes from all callers together.
"""

from functools import partial
from typing import Final, NoReturn

from functions import outcomes
from functions.aws import cognito
from functions.aws.cognito import User
from functions.names import ADDRESS
from functions.operations import Operation
from functions.problems import Failure, Outcome
from functions.work.scope import Scope
from functions.worker import mails
from functions.worker.mails import Mail

PAUSE: Final = 600
"""Seconds within which one name gets one mail."""
MAILS_TO_STRANGERS: Final = 100
"""Mails an hour to addresses without an account, for all of them together."""
_UNDELIVERABLE: Final = "Password Reset Undeliverable"
"""The event about a user who gets neither a code nor another mail."""


def send_or_help(scope: Scope, username: str, client_metadata: dict[str, str]) -> None:
    """Have Cognito send a code; if it would send none, do what helps and raise a `Failure`.

    Cognito is asked for unknown users, too: a trigger of the pool may bring them from elsewhere.
    """
    help_ = partial(_help, scope, username, client_metadata)
    with scope.pauses.free_on_failure():
        user = scope.cognito.find_user(username)
    if user and (reason := _classify(user)):
        help_(user, reason)
    try:
        attribute = _send(scope, username, client_metadata)
    except Failure as failure:
        if failure.outcome is outcomes.INVALID_PARAMETER and user:
            scope.events.report(_UNDELIVERABLE, username, outcomes.NO_VERIFIED_ADDRESS)
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


def _classify(user: User) -> Outcome | None:
    """Return why Cognito sends no code, as far as that can be seen."""
    if not user.enabled:
        return None  # the operator's decision
    if user.status == cognito.INVITED:
        return outcomes.INVITED
    if user.status == cognito.FEDERATED:
        return outcomes.FEDERATED
    if user.recoverable:
        return None
    is_new = user.status == cognito.UNCONFIRMED
    return outcomes.UNCONFIRMED if is_new else outcomes.NO_VERIFIED_ADDRESS


def _help(
    scope: Scope, username: str, client_metadata: dict[str, str], user: User, reason: Outcome
) -> NoReturn:
    settings = scope.settings
    if reason is outcomes.INVITED and settings.resend_invitations:
        scope.idempotency.run_once(
            partial(scope.cognito.invite, user, username),
            *("mail", "invitation", settings.user_pool_id, user.username),
            lifetime=PAUSE,
        )
    elif reason is outcomes.UNCONFIRMED:
        scope.idempotency.run_once(
            partial(_resend_sign_up_code, scope, user, client_metadata),
            *("mail", "sign-up", settings.user_pool_id, user.username),
            lifetime=PAUSE,
        )
    elif reason is outcomes.FEDERATED and settings.mail_from and user.verified_email:
        _mail(scope, Mail.FEDERATED, username, user)
    else:
        scope.events.report(_UNDELIVERABLE, username, reason)
    raise reason.failure()


def _resend_sign_up_code(scope: Scope, user: User, client_metadata: dict[str, str]) -> None:
    """Send the code, and a mail about what to do with it. Somebody else may have signed up."""
    try:
        scope.cognito.call_as_client(
            "ResendConfirmationCode", user.username, ClientMetadata=client_metadata
        )
    except Failure as failure:
        if failure.outcome is outcomes.INVALID_PARAMETER:  # the pool verifies no addresses
            scope.events.report(_UNDELIVERABLE, user.username, outcomes.UNCONFIRMED)
        raise
    if scope.settings.mail_from and (email := user.attributes.get("email")):
        mails.send(scope.settings, Mail.UNCONFIRMED, email, user.locale)


def _help_unknown(scope: Scope, username: str, client_metadata: dict[str, str]) -> None:
    """Help users who sign in with another spelling or another name, or say that there are none."""
    lower = username.lower()
    if lower != username and not scope.settings.lower_case_usernames:
        user = scope.cognito.find_user(lower)
        if user and user.enabled:
            _tell_names(scope, username, user, [lower])
    if not ADDRESS.fullmatch(username):
        return
    users = [user for user in scope.cognito.find_users(username) if user.enabled]
    named = [user for user in users if user.has_username and not _classify(user)]
    if named:
        _tell_names(scope, username, named[0], [user.username for user in named])
    for user in users:
        # If nothing else keeps a code away, the user signs in with another name.
        reason = _classify(user) or outcomes.NOT_A_SIGN_IN_NAME
        _help(scope, username, client_metadata, user, reason)
    if not users and scope.settings.mail_unknown_addresses:
        scope.idempotency.run_once(
            partial(_tell_stranger, scope, username),
            *("mail", Mail.NO_ACCOUNT, scope.settings.user_pool_id, _find_mailbox(username)),
            lifetime=PAUSE,
        )


def _tell_names(scope: Scope, username: str, user: User, names: list[str]) -> NoReturn:
    """Mail a user the names to sign in with, because a code would not work with the typed one."""
    if not (scope.settings.mail_from and user.verified_email):
        scope.events.report(_UNDELIVERABLE, username, outcomes.NOT_A_SIGN_IN_NAME)
    _mail(scope, Mail.USERNAMES, username, user, names=", ".join(sorted(names)))
    raise outcomes.NOT_A_SIGN_IN_NAME.failure()


def _tell_stranger(scope: Scope, address: str) -> None:
    """Say that there is no account. The mail holds nothing that its cause typed."""
    if scope.limits.spend("mails to strangers", MAILS_TO_STRANGERS):
        mails.send(scope.settings, Mail.NO_ACCOUNT, address)


def _find_mailbox(address: str) -> str:
    """Return what the spellings of one mailbox have in common. To compare by, not to send to."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def _mail(scope: Scope, mail: Mail, username: str, user: User, **values: str) -> None:
    """Mail a user at their verified address, or report that SES refused it."""
    email = user.verified_email
    parts = (mail, scope.settings.user_pool_id, email.lower())
    try:
        mails.send_once(scope, mail, email, *parts, locale=user.locale, lifetime=PAUSE, **values)
    except Failure as failure:
        if failure.outcome is outcomes.MAIL_REFUSED:
            scope.events.report(_UNDELIVERABLE, username, outcomes.MAIL_REFUSED)
        raise
