"""Help users to whom Cognito sends no code.

No caller can see a difference, because the response was given before. Each costs an attempt, as a
code does, and one name gets one mail in ten minutes from all callers together.
"""

import re
from functools import partial
from typing import Final, NoReturn

from functions import outcomes
from functions.aws import cognito
from functions.aws.cognito import User
from functions.operations import Operation
from functions.problems import Failure, Outcome
from functions.work.scope import Scope
from functions.worker import mails
from functions.worker.mails import Mail

_ADDRESS: Final = r"[\w.!#$%&'*+/^`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}"
"""One plain email address: anyone can type a list, or a quote that would end a filter."""
PAUSE: Final = 600
"""Seconds within which one name gets one mail."""
MAILS_TO_STRANGERS: Final = 100
"""Mails an hour to addresses without an account, for all of them together."""


def send_or_help(scope: Scope, username: str, client_metadata: dict[str, str]) -> None:
    """Have Cognito send a code; if it would send none, do what helps and raise a `Failure`.

    Cognito is asked for unknown users, too: a trigger of the pool may bring them from elsewhere.
    """
    settings = scope.settings
    send = partial(_send, scope, username, client_metadata)
    if not (settings.event_bus_name or settings.mail_from or settings.resend_invitations):
        with scope.pauses.free_on_failure():
            send()
        return
    with scope.pauses.free_on_failure():
        user = scope.cognito.find_user(username)
    if user and (reason := _classify(user)):
        _help(scope, username, user, reason)
    try:
        attribute = send()
    except Failure as failure:
        if failure.outcome is outcomes.INVALID_PARAMETER and user:
            _report(scope, username, outcomes.NO_VERIFIED_ADDRESS)
        if failure.outcome is outcomes.USER_NOT_FOUND and user is None:
            _help_by_address(scope, username)
        raise
    # Cognito may say that it sent a code although it sent none.
    if user is None:
        user = scope.cognito.find_user(username)
    if user is None:
        _help_by_address(scope, username)
        raise outcomes.USER_NOT_FOUND.failure()
    if attribute and user.attributes.get(f"{attribute}_verified") != "true":
        _help(scope, username, user, outcomes.NO_VERIFIED_ADDRESS)


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
    return None if user.recoverable else outcomes.NO_VERIFIED_ADDRESS


def _help(scope: Scope, username: str, user: User, reason: Outcome) -> NoReturn:
    settings = scope.settings
    if reason is outcomes.INVITED and settings.resend_invitations:
        scope.idempotency.run_once(
            partial(scope.cognito.invite, user, username),
            *("mail", "invitation", settings.user_pool_id, user.username),
            lifetime=PAUSE,
        )
    elif reason is outcomes.FEDERATED and settings.mail_from and user.verified_email:
        _mail(scope, Mail.FEDERATED, user.verified_email, user.locale)
    else:
        _report(scope, username, reason)
    raise reason.failure()


def _help_by_address(scope: Scope, address: str) -> None:
    """Help users who have this address but cannot sign in with it, or say that there are none."""
    if not re.fullmatch(_ADDRESS, address, re.ASCII | re.IGNORECASE):
        return
    users = scope.cognito.find_users(address)
    for user in users:
        if user.enabled:
            # If nothing else keeps a code away, the user signs in with another name.
            _help(scope, address, user, _classify(user) or outcomes.NOT_A_SIGN_IN_NAME)
    if not users and scope.settings.mail_unknown_addresses:
        scope.idempotency.run_once(
            partial(_tell_stranger, scope, address),
            *("mail", Mail.NO_ACCOUNT, scope.settings.user_pool_id, _find_mailbox(address)),
            lifetime=PAUSE,
        )


def _tell_stranger(scope: Scope, address: str) -> None:
    """Say that there is no account. The mail holds nothing that its cause typed."""
    if scope.limits.spend("mails to strangers", MAILS_TO_STRANGERS):
        mails.send(scope.settings, Mail.NO_ACCOUNT, address)


def _find_mailbox(address: str) -> str:
    """Return what the spellings of one mailbox have in common. To compare by, not to send to."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def _mail(scope: Scope, mail: Mail, address: str, locale: str = "") -> None:
    parts = (mail, scope.settings.user_pool_id, address.lower())
    mails.send_once(scope, mail, address, *parts, locale=locale, lifetime=PAUSE)


def _report(scope: Scope, username: str, reason: Outcome) -> None:
    """Put an event, so that someone can help the user."""
    detail = scope.events.describe(username=username, reason=reason.cause)
    scope.events.put("Password Reset Undeliverable", detail)
