"""The names of users who sign in only with an email address or a phone number.

`attributes` are Cognito's `UsernameAttributes`: `email`, `phone_number`, or none where users have
usernames. A username may hold any of the characters that are removed here, so it stays as it is.
"""

import re
import unicodedata
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote

_ATOM: Final = r"[^\s@<>()\[\],;:\"\\.]"
_LABEL: Final = r"[^\s\x00-,./:-@\[-^`{-\x9f]"
ADDRESS: Final = re.compile(rf"(?:{_ATOM}|\.)+@(?:{_LABEL}+\.)+(?![0-9]+$){_LABEL}{{2,}}")
"""One plain email address, of any script: anyone can type a list, or a quote that ends a filter."""
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""A phone number with its country code (E.164)."""
_BEFORE: Final = "<>()[],;:.\u0022"
"""Brackets, punctuation and quotation marks that no address begins with."""
DASH: Final = "Pd"
"""Unicode's category of hyphens and dashes, which a code of digits and a phone number lose."""
DASHES: Final = "\u2043\u2053\u207b\u208b\u2212\u30fc\uff70"
"""Others that stand for a hyphen, such as a minus sign and the long vowel of Japanese keyboards."""
_PATTERNS: Final = {"email": ADDRESS, "phone_number": _NUMBER}
_PLUS: Final = "\N{FULLWIDTH PLUS SIGN}"


def unwrap(name: str, attributes: Collection[str]) -> str:
    """Return the address or the number in what a mail program or an address book copies.

    Around an address, only characters are removed that no address has there, so no two become one.
    """
    if not attributes:
        return name
    if inner := re.search("<([^<>]+)>", name):
        name = inner[1]
    scheme, _, rest = name.partition(":")
    if scheme.lower() in ("mailto", "tel", "sms"):
        name = unquote(rest.partition("?")[0]).removeprefix("//")
    bare = _strip(name)
    return _write_number(bare) if "phone_number" in attributes else bare


def _strip(text: str) -> str:
    """Remove the marks around an address. Those of ASCII that it may begin with go as a pair."""
    kinds = {one: unicodedata.category(one)[0] for one in text}
    bare = text.rstrip("".join(one for one in kinds if kinds[one] in "PS"))
    foreign = "".join(one for one in kinds if kinds[one] in "MPS" and one > "~" and one != _PLUS)
    return bare.lstrip(_BEFORE + foreign + text[len(bare) :].replace("}", "{"))


def _write_number(text: str) -> str:
    """Return a phone number as Cognito has it, or the text if it is none."""
    digits = write_digits(text).replace(_PLUS, "+").replace("(0)", "")
    number = re.sub(r"^00", "+", remove_dashes(re.sub(r"[()./\uff08\uff09]", "", digits)))
    return number if _NUMBER.fullmatch(number) else text


def remove_dashes(text: str) -> str:
    """Return the text without the characters that people put between groups of digits."""
    return "".join(one for one in text if unicodedata.category(one) != DASH and one not in DASHES)


def write_digits(text: str) -> str:
    """Return the text with the decimal digits of every script in ASCII."""
    return "".join(str(unicodedata.decimal(one, one)) for one in text)


def is_sign_in_name(name: str, attributes: Collection[str]) -> bool:
    """Return whether a user may have the name."""
    return not attributes or any(_PATTERNS[one].fullmatch(name) for one in attributes)
