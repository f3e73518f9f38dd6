"""What a new password must be: judged here, for every user name alike, all rules at once."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from functions import breaches, cognito
from functions.fields import Request
from functions.problems import INVALID_PASSWORD, Failure, FieldError

_MIN_CONTEXT: Final = 3
"""Characters; a shorter name stands in too many good passwords by chance."""

_CHARACTERS: Final = {
    "RequireLowercase": ("[a-z]", "a lower-case letter (a to z)"),
    "RequireUppercase": ("[A-Z]", "an upper-case letter (A to Z)"),
    "RequireNumbers": ("[0-9]", "a digit"),
    "RequireSymbols": (
        rf"""[{re.escape("^$*.[]{}()?!@#%&/,><:;|_~`=+- " + "\"'" + chr(92))}]""",
        "a special character, such as a hyphen or a full stop",
    ),
}
"""Cognito's own: a letter of another alphabet, or its digit, does not count."""


def check(request: Request, password: str, *, name: str = "", old: str = "") -> None:
    """Raise one `Failure` that lists every rule that the new password breaks.

    The rules are those of the pool itself; if they cannot be read, Cognito judges by them later.
    """
    policy = cognito.password_policy(request.incidents)
    broken = [*_policy(policy, password), *_context(password, name, old)]
    if not broken and breaches.contain(password, request.incidents):
        broken = [("breached", "stands in a list of stolen passwords, which attackers try first")]
    if broken:
        errors = [
            FieldError("#/newPassword", rule, f"The password {sentence}.")
            for rule, sentence in broken
        ]
        raise Failure(INVALID_PASSWORD, errors)


def _policy(policy: dict[str, Any], password: str) -> Iterator[tuple[str, str]]:
    if len(password) < policy.get("MinimumLength", 0):
        yield "minLength", f"must have at least {policy['MinimumLength']} characters"
    for name, (pattern, what) in _CHARACTERS.items():
        if policy.get(name) and not re.search(pattern, password):
            yield name[0].lower() + name[1:], f"must contain {what}"
    if password != password.strip():
        yield "edgeSpace", "must not begin or end with a space"


def _plain(text: str) -> str:
    """For comparison alone: a password is never changed (ASVS 6.2.8)."""
    return unicodedata.normalize("NFC", text).casefold()


def _context(password: str, name: str, old: str) -> Iterator[tuple[str, str]]:
    names = {_plain(part) for part in (name, name.rpartition("@")[0])}
    if any(part in _plain(password) for part in names if len(part) >= _MIN_CONTEXT):
        yield "containsUsername", "must not contain the user name"
    if password == old:
        yield "sameAsOld", "must not be the old one"
