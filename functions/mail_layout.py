"""The layout of every mail: readable without pictures, in dark mode, on a phone, and as text.

Only the button has colours, so that each mail program chooses those that fit the reader's theme.
"""

from collections.abc import Iterable
from html import escape
from typing import Final, NamedTuple

from functions.settings import Runtime

_PAGE: Final = """\
<!doctype html>
<html lang="{language}" style="color-scheme:light dark"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:32px 20px;font:16px/1.5 system-ui,'Segoe UI',Arial,sans-serif">
<div style="max-width:480px;margin:0 auto">
{brand}<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">{title}</h1>
{blocks}
</div></body></html>
"""
_BRAND: Final = '<p style="margin:0 0 24px;font-weight:bold">{brand}</p>\n'
_LOGO: Final = '<img src="{url}" alt="{name}" height="32" style="height:32px;border:0">'

PARAGRAPH: Final = '<p style="margin:0 0 16px">{text}</p>'
ENDING: Final = '<p style="margin:24px 0 0;font-size:14px;opacity:.75">{text}</p>'
CODE: Final = '<p style="margin:24px 0;font:bold 28px monospace;overflow-wrap:anywhere">{text}</p>'
# SES must not rewrite the link to count clicks, because it would get to know a code in it.
BUTTON: Final = (
    '<p style="margin:24px 0"><a ses:no-track href="{url}" style="display:inline-block;padding:'
    '12px 24px;border-radius:6px;background:#1a56c4;color:#fff;text-decoration:none">{text}</a></p>'
)


class Block(NamedTuple):
    """A part of a mail: a template from above and its text, and the address of a button."""

    template: str
    text: str
    url: str = ""


def add_name(settings: Runtime, text: str) -> str:
    """Return a subject or a short message after the product's name, if it has one."""
    return f"{settings.mail_name}: {text}" if settings.mail_name else text


def format_text(blocks: Iterable[Block]) -> str:
    """Return a mail as plain text."""
    return "\n\n".join(f"{one.text}: {one.url}" if one.url else one.text for one in blocks) + "\n"


def format_html(settings: Runtime, language: str, title: str, blocks: Iterable[Block]) -> str:
    """Return a mail as HTML."""
    brand = name = escape(settings.mail_name)
    if settings.mail_logo:
        brand = _LOGO.format(url=escape(settings.mail_logo), name=name)
    return _PAGE.format(
        language=language,
        title=escape(title),
        brand=_BRAND.format(brand=brand) if brand else "",
        blocks="\n".join(b.template.format(text=escape(b.text), url=escape(b.url)) for b in blocks),
    )
