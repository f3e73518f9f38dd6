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
ADDRESS: Final = re.compile(rf"(?:{_ATOM}|\.)+@(?:{_ATOM}+\.)+(?![0-9]+$){_ATOM}{{2,}}")
"""One plain email address, of any script: anyone can type a list, or a quote that ends a filter."""
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""A phone number with its country code (E.164)."""
_AROUND: Final = "<>()[],;:.\u0022\u201c\u201d\u201e\u00ab\u00bb"
"""Brackets, punctuation and quotation marks that surround an address."""
_PATTERNS: Final = {"email": ADDRESS, "phone_number": _NUMBER}


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
        name = unquote(rest.partition("?")[0])
    bare = name.strip(_AROUND)
    if bare.startswith("'") and bare.endswith("'"):
        bare = bare.strip("'")
    if "email" in attributes and "@" in bare:
        return bare
    return _write_number(bare) if "phone_number" in attributes else bare


def _write_number(text: str) -> str:
    """Return a phone number as Cognito has it, or the text if it is none."""
    digits = write_digits(text).replace("\uff0b", "+")  # full-width
    if digits.startswith(("+", "00")):
        digits = digits.replace("(0)", "")
    number = re.sub(r"^00", "+", re.sub(r"[()./]", "", digits))
    number = "".join(one for one in number if unicodedata.category(one) != "Pd")
    return number if _NUMBER.fullmatch(number) else text


def write_digits(text: str) -> str:
    """Return the text with the decimal digits of every script in ASCII."""
    return "".join(str(unicodedata.decimal(one, one)) for one in text)


def is_sign_in_name(name: str, attributes: Collection[str]) -> bool:
    """Return whether a user may have the name."""
    fits = any(_PATTERNS[attribute].fullmatch(name) for attribute in attributes)
    return fits or not attributes
