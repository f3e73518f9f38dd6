"""The service's own mails, each in the language of its user."""

import unicodedata
from email.utils import formataddr
from enum import StrEnum
from functools import partial
from typing import Any

from functions import mail_layout as layout
from functions.aws.calls import call
from functions.aws.events import EventType
from functions.languages import DEFAULT, choose_language, read_texts
from functions.mail_layout import BUTTON, ENDING, PARAGRAPH, Block
from functions.outcomes import MAIL_REFUSED
from functions.problems import Failure
from functions.requests import Subject
from functions.settings import Runtime
from functions.work.scope import Scope


class Mail(StrEnum):
    """The mails, by the names of their texts."""

    CHANGED = "passwordChanged"
    FEDERATED = "federated"
    NO_ACCOUNT = "noAccount"
    RESET_REQUIRED = "resetRequired"
    UNCONFIRMED = "unconfirmed"
    USERNAMES = "usernames"


def send_once(
    scope: Scope,
    mail: Mail,
    to: str,
    *parts: str,
    lifetime: int,
    subject: Subject,
    event: EventType,
    locale: str = "",
    **values: str,
) -> None:
    """Send a mail, unless that was done for the same `parts` within the `lifetime`, in seconds.

    Raise a `Failure` if SES does not take it. If it never will, put an `event` about the user.
    """
    act = partial(send, scope, mail, to, locale, account=to, **values)
    try:
        scope.idempotency.run_once(act, "mail", *parts, lifetime=lifetime)
    except Failure as failure:
        if failure.outcome is MAIL_REFUSED:
            scope.events.report(event, subject, MAIL_REFUSED)
        raise


def send(scope: Scope, mail: Mail, to: str, locale: str = "", **values: str) -> None:
    """Send a mail in the language of its user, or raise a `Failure` if SES does not take it."""
    settings = scope.settings
    language = choose_language(locale, scope.caller.language) or DEFAULT
    title, blocks = _compose(settings, mail, language, values)
    optional: dict[str, Any] = {}
    if settings.mail_reply_to:
        optional["ReplyToAddresses"] = [settings.mail_reply_to]
    if settings.mail_configuration_set:
        optional["ConfigurationSetName"] = settings.mail_configuration_set
    body = {
        "Text": _content(layout.format_text(blocks)),
        "Html": _content(layout.format_html(settings, language, title, blocks)),
    }
    call(
        "SendEmail",
        FromEmailAddress=formataddr((settings.mail_name, settings.mail_from)),
        Destination={"ToAddresses": [_write_domain(to)]},
        Content={"Simple": {"Subject": _content(layout.add_name(settings, title)), "Body": body}},
        **optional,
    )


def _compose(
    settings: Runtime, mail: Mail, language: str, values: dict[str, str]
) -> tuple[str, list[Block]]:
    """Return the title of a mail and its parts."""
    texts = read_texts(language)
    title, *paragraphs = (text.format(**values) for text in texts[mail])
    blocks = [Block(PARAGRAPH, text) for text in paragraphs]
    if mail is Mail.RESET_REQUIRED:
        return title, blocks
    if mail is not Mail.CHANGED:
        return title, [*blocks, Block(ENDING, texts["ignore"])]
    if not settings.support_url:
        return title, [*blocks, Block(PARAGRAPH, texts["noHelp"])]
    question, label = texts["help"]
    help_ = Block(PARAGRAPH, question), Block(BUTTON, label, settings.support_url)
    return title, [*blocks, *help_]


def _write_domain(address: str) -> str:
    """Return an address with its domain in ASCII, as SES wants it (IDNA 2008)."""
    local, _, domain = address.rpartition("@")
    labels = unicodedata.normalize("NFKC", domain).lower().split(".")
    # Python's codec is of IDNA 2003, where some domains are others, and it raises for long ones.
    ascii_ = (one if one.isascii() else f"xn--{one.encode('punycode').decode()}" for one in labels)
    return f"{local}@{'.'.join(ascii_)}"


def _content(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
