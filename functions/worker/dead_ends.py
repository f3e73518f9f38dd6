"""Help users to whom Cognito sends no code.

No caller can see a difference, because the response was given before. Each costs an attempt, as a
code does, and one name gets one mail in ten minutes from all callers together.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from functions.aws import cognito, notifications
from functions.aws.cognito import FEDERATED, INVITED, User
from functions.aws.queue import Message
from functions.problems import ACCOUNT_NOT_ALLOWED, USER_NOT_FOUND, Failure
from functions.records import Cause, Record
from functions.settings import Settings
from functions.worker import mails
from functions.worker.mails import Mail

PAUSE: Final = 600
"""Seconds within which one name gets one mail."""


@contextmanager
def help_instead(message: Message, settings: Settings, record: Record) -> Iterator[None]:
    """Let Cognito send a code; if it would send none, do what helps and raise a `Failure`.

    Cognito is asked for unknown users, too: a trigger of the pool may bring them from elsewhere.
    """
    if not (settings.event_bus_name or settings.mail_from or settings.resend_invitations):
        yield
        return
    username = message.parameters["username"]
    user = cognito.find_user(settings, username)
    if user and (cause := _classify(user)):
        _help(message, settings, record, user, cause)
        raise Failure(ACCOUNT_NOT_ALLOWED, cause=cause, account_dependent=True)
    try:
        yield
    except Failure as failure:
        if failure.cause == "InvalidParameterException" and user:
            _report(message, settings, Cause.NO_VERIFIED_ADDRESS)
        if failure.cause == "UserNotFoundException":
            _help_nobody(message, settings, record)
        raise
    # Cognito may say of unknown users, too, that it sent a code.
    if user is None and cognito.find_user(settings, username) is None:
        _help_nobody(message, settings, record)
        raise Failure(USER_NOT_FOUND, account_dependent=True)


def _classify(user: User) -> Cause | None:
    """Return why Cognito sends no code, as far as that can be seen."""
    if not user.enabled:
        return None  # the operator's decision
    if user.status == INVITED:
        return Cause.INVITED
    if user.status == FEDERATED:
        return Cause.FEDERATED
    return None if user.recoverable else Cause.NO_VERIFIED_ADDRESS


def _help(message: Message, settings: Settings, record: Record, user: User, cause: Cause) -> None:
    if cause is Cause.INVITED and settings.resend_invitations:
        parts = ("invitation", settings.user_pool_id, user.username)
        invite = partial(cognito.invite, settings, user, message.parameters["username"])
        mails.send_once(settings, record, invite, parts=parts, lifetime=PAUSE)
    elif cause is Cause.FEDERATED and settings.mail_from and user.verified_email:
        _mail(settings, record, Mail.FEDERATED, user.verified_email, user.locale)
    else:
        _report(message, settings, cause)


def _help_nobody(message: Message, settings: Settings, record: Record) -> None:
    """Mail the address how to sign in, or that it has no account."""
    address = cognito.cognito_username(settings, message.parameters["username"])
    if not settings.mail_from or "@" not in address:
        return
    user = cognito.find_federated_user(settings, address)
    if user and user.enabled and user.verified_email:
        _mail(settings, record, Mail.FEDERATED, user.verified_email, user.locale)
    elif not user and settings.mail_unknown_addresses:
        _mail(settings, record, Mail.NO_ACCOUNT, address)


def _mail(settings: Settings, record: Record, mail: Mail, address: str, locale: str = "") -> None:
    send = partial(mails.send, settings, mail, address, locale, account=address)
    parts = (mail, settings.user_pool_id, address)
    mails.send_once(settings, record, send, parts=parts, lifetime=PAUSE)


def _report(message: Message, settings: Settings, cause: Cause) -> None:
    """Put an event, so that someone can help the user."""
    detail: dict[str, Any] = {
        "username": message.parameters["username"],
        "reason": cause,
        "userPoolId": settings.user_pool_id,
        "requestId": message.request_id,
        "sourceIp": message.source_ip,
    }
    notifications.put(settings, "Password Reset Undeliverable", detail)
