"""The service's own mails, each in the language of its user."""

import json
import time
import unicodedata
from email.utils import formataddr
from enum import StrEnum
from functools import cache, partial
from html import escape
from typing import Any, Final

from functions.aws.calls import call
from functions.outcomes import MAIL_REFUSED
from functions.problems import Failure
from functions.settings import Runtime
from functions.work.scope import Scope

LANGUAGES: Final = ("de", "en", "es", "fr", "ja", "pt")
"""Each has a file in `languages/`."""
_DEFAULT: Final = "en"


class Mail(StrEnum):
    """The mails, by the names of their texts."""

    CHANGED = "passwordChanged"
    FEDERATED = "federated"
    NO_ACCOUNT = "noAccount"
    UNCONFIRMED = "unconfirmed"
    USERNAMES = "usernames"


def send_once(
    scope: Scope,
    mail: Mail,
    to: str,
    *parts: str,
    lifetime: int,
    username: str,
    event: str,
    locale: str = "",
    **values: str,
) -> None:
    """Send a mail, unless that was done for the same `parts` within the `lifetime`, in seconds.

    Raise a `Failure` if SES does not take it. If it never will, put an `event` about the user.
    """
    act = partial(send, scope.settings, mail, to, locale, account=to, **values)
    try:
        scope.idempotency.run_once(act, "mail", *parts, lifetime=lifetime)
    except Failure as failure:
        if failure.outcome is MAIL_REFUSED:
            scope.events.report(event, username, MAIL_REFUSED)
        raise


def send(settings: Runtime, mail: Mail, to: str, locale: str = "", **values: str) -> None:
    """Send a mail, or raise a `Failure` if SES does not take it."""
    subject, *paragraphs = compose(settings, mail, locale, **values)
    optional: dict[str, Any] = {}
    if settings.mail_reply_to:
        optional["ReplyToAddresses"] = [settings.mail_reply_to]
    if settings.mail_configuration_set:
        optional["ConfigurationSetName"] = settings.mail_configuration_set
    body = {
        "Text": _content("\n\n".join(paragraphs) + "\n"),
        "Html": _content(_format(settings, _language(locale), subject, paragraphs)),
    }
    call(
        "SendEmail",
        FromEmailAddress=formataddr((settings.mail_name, settings.mail_from)),
        Destination={"ToAddresses": [_write_domain(to)]},
        Content={"Simple": {"Subject": _content(subject), "Body": body}},
        **optional,
    )


def compose(settings: Runtime, mail: Mail, locale: str, **values: str) -> list[str]:
    """Return the subject and the paragraphs of a mail."""
    texts = read_texts(_language(locale))
    help_ = texts["help" if settings.support_url else "noHelp"]
    endings = [help_] if mail is Mail.CHANGED else [texts["ignore"]]
    subject, *paragraphs = (
        text.format(**values, url=settings.support_url) for text in texts[mail] + endings
    )
    return [f"{settings.mail_name}: {subject}" if settings.mail_name else subject, *paragraphs]


def format_time(seconds: float) -> str:
    """Format seconds since the epoch for readers of any language."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _language(locale: str) -> str:
    """Return the language of a locale such as `pt-BR`, if there are texts in it."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else _DEFAULT


@cache
def read_texts(language: str) -> dict[str, Any]:
    """Return the texts of a language by name, in English where it has none."""
    from pathlib import Path  # noqa: PLC0415 - most processes send no mail

    folder = Path(__file__).parent / "languages"
    read = [json.loads((folder / f"{one}.json").read_text("utf-8")) for one in (_DEFAULT, language)]
    texts: dict[str, Any] = read[0] | read[1]
    return texts


def _format(settings: Runtime, language: str, subject: str, paragraphs: list[str]) -> str:
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    if url := escape(settings.support_url):
        body = body.replace(url, f'<a href="{url}">{url}</a>')
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(subject)}</title></head><body>{body}</body></html>"
    )


def _write_domain(address: str) -> str:
    """Return an address with its domain in ASCII, as SES wants it (IDNA 2008)."""
    local, _, domain = address.rpartition("@")
    labels = unicodedata.normalize("NFKC", domain).lower().split(".")
    # Python's codec is of IDNA 2003, where some domains are others, and it raises for long ones.
    ascii_ = (one if one.isascii() else f"xn--{one.encode('punycode').decode()}" for one in labels)
    return f"{local}@{'.'.join(ascii_)}"


def _content(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
