"""Help users to whom Cognito sends no code.

No caller can see a difference, because the response was given before. Each costs an attempt, as a
code does, and one name gets one mail in ten minutes from all callers together.
"""

import re
from functools import partial
from typing import Any, Final, NoReturn

from functions.aws import cognito, notifications
from functions.aws.cognito import FEDERATED, INVITED, User
from functions.aws.queue import Message
from functions.operations import Operation
from functions.problems import ACCOUNT_NOT_ALLOWED, USER_NOT_FOUND, Failure
from functions.records import Cause, Record
from functions.settings import Settings
from functions.worker import mails
from functions.worker.mails import Mail

_ADDRESS: Final = r"[\w.!#$%&'*+/^`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}"
"""One plain email address: anyone can type a list, or a quote that would end a filter."""
PAUSE: Final = 600
"""Seconds within which one name gets one mail."""


def send_or_help(message: Message, settings: Settings, record: Record) -> None:
    """Have Cognito send a code; if it would send none, do what helps and raise a `Failure`.

    Cognito is asked for unknown users, too: a trigger of the pool may bring them from elsewhere.
    """
    if not (settings.event_bus_name or settings.mail_from or settings.resend_invitations):
        _send(message, settings)
        return
    username = message.parameters["username"]
    user = cognito.find_user(settings, username)
    if user and (cause := _classify(user)):
        _help(message, settings, record, user, cause)
    try:
        attribute = _send(message, settings)
    except Failure as failure:
        if failure.cause == "InvalidParameterException" and user:
            _report(message, settings, Cause.NO_VERIFIED_ADDRESS)
        if failure.cause == "UserNotFoundException" and user is None:
            _help_by_address(message, settings, record)
        raise
    # Cognito may say that it sent a code although it sent none.
    if user is None:
        user = cognito.find_user(settings, username)
    if user is None:
        _help_by_address(message, settings, record)
        raise Failure(USER_NOT_FOUND, account_dependent=True)
    if attribute and user.attributes.get(f"{attribute}_verified") != "true":
        _help(message, settings, record, user, Cause.NO_VERIFIED_ADDRESS)


def _send(message: Message, settings: Settings) -> str:
    """Have Cognito send a code, and return the name of the attribute that has its address."""
    response = cognito.call_as_client(
        settings,
        Operation.RESET_PASSWORD.action,
        message.parameters["username"],
        message.source_ip,
        ClientMetadata=message.parameters["client_metadata"],
    )
    attribute: str = response.get("CodeDeliveryDetails", {}).get("AttributeName", "")
    return attribute


def _classify(user: User) -> Cause | None:
    """Return why Cognito sends no code, as far as that can be seen."""
    if not user.enabled:
        return None  # the operator's decision
    if user.status == INVITED:
        return Cause.INVITED
    if user.status == FEDERATED:
        return Cause.FEDERATED
    return None if user.recoverable else Cause.NO_VERIFIED_ADDRESS


def _help(
    message: Message, settings: Settings, record: Record, user: User, cause: Cause
) -> NoReturn:
    if cause is Cause.INVITED and settings.resend_invitations:
        parts = ("invitation", settings.user_pool_id, user.username)
        invite = partial(cognito.invite, settings, user, message.parameters["username"])
        mails.send_once(settings, record, invite, parts=parts, lifetime=PAUSE)
    elif cause is Cause.FEDERATED and settings.mail_from and user.verified_email:
        _mail(settings, record, Mail.FEDERATED, user.verified_email, user.locale)
    else:
        _report(message, settings, cause)
    raise Failure(ACCOUNT_NOT_ALLOWED, cause=cause, account_dependent=True)


def _help_by_address(message: Message, settings: Settings, record: Record) -> None:
    """Help users who have this address but cannot sign in with it, or say that there are none."""
    address = message.parameters["username"]
    if not re.fullmatch(_ADDRESS, address, re.ASCII | re.IGNORECASE):
        return
    users = cognito.find_users(settings, cognito.cognito_username(settings, address))
    for user in users:
        if user.enabled:
            # If nothing else keeps a code away, the user signs in with another name.
            cause = _classify(user) or Cause.NOT_A_SIGN_IN_NAME
            _help(message, settings, record, user, cause)
    if not users and settings.mail_unknown_addresses:
        _mail(settings, record, Mail.NO_ACCOUNT, address)


def _mail(settings: Settings, record: Record, mail: Mail, address: str, locale: str = "") -> None:
    send = partial(mails.send, settings, mail, address, locale, account=address)
    parts = (mail, settings.user_pool_id, address.lower())
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
