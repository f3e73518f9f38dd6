"""The rules for a new password, all checked at once and for every username alike."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from functions.aws import cognito
from functions.problems import PASSWORD_REFUSED, Failure, FieldError
from functions.protection import breaches
from functions.requests import Request

_MIN_NAME: Final = 3
"""Characters. Too many good passwords contain a shorter name by chance."""


class Rule(NamedTuple):
    """A rule of Cognito's policies about the characters of a password."""

    rule: str
    pattern: str
    detail: str


CHARACTERS: Final = {
    "RequireLowercase": Rule(
        "requireLowercase", "[a-z]", "The password must contain a lowercase letter (a to z)."
    ),
    "RequireUppercase": Rule(
        "requireUppercase", "[A-Z]", "The password must contain an uppercase letter (A to Z)."
    ),
    "RequireNumbers": Rule("requireNumbers", "[0-9]", "The password must contain a digit."),
    "RequireSymbols": Rule(
        "requireSymbols",
        rf"""[{re.escape("^$*.[]{}()?!@#%&/,><:;|_~`=+- " + "\"'" + chr(92))}]""",
        "The password must contain a special character, such as a hyphen or a full stop.",
    ),
}
"""By Cognito's names. Letters and digits of other alphabets do not count."""
MIN_LENGTH: Final = "minLength"
OWN_RULES: Final = {
    "edgeSpace": "The password must not begin or end with a space.",
    "containsUsername": "The password must not contain the username.",
    "sameAsOld": "The password must differ from the old one.",
    "breached": "This password has appeared in a data breach. Choose a different one.",
}
"""The rules that Cognito does not have; the last one is checked if no other is broken."""


PASSWORD_RULES: Final = (MIN_LENGTH, *(rule.rule for rule in CHARACTERS.values()), *OWN_RULES)


def check(request: Request, password: str, *, username: str = "", old: str = "") -> None:
    """Raise one `Failure` that lists every rule that the new password breaks.

    If the pool's policy cannot be read, Cognito applies it later.
    """
    policy = cognito.password_policy(request.settings, request.record)
    errors = [
        *_break_policy(policy, password),
        *(_own(rule) for rule in _break_own_rules(password, username, old)),
    ]
    if not errors and breaches.contain(request, password):
        errors = [_own("breached")]
    if errors:
        raise Failure(PASSWORD_REFUSED, errors)


def describe_min_length(minimum: int) -> FieldError:
    """Return the error of a password that is too short."""
    detail = f"The password must have at least {minimum} characters."
    return FieldError(_POINTER, MIN_LENGTH, detail, {"minimum": minimum})


_POINTER: Final = "#/newPassword"


def _break_policy(policy: dict[str, Any], password: str) -> Iterator[FieldError]:
    if len(password) < policy.get("MinimumLength", 0):
        yield describe_min_length(policy["MinimumLength"])
    for name, (rule, pattern, detail) in CHARACTERS.items():
        if policy.get(name) and not re.search(pattern, password):
            yield FieldError(_POINTER, rule, detail)


def _break_own_rules(password: str, username: str, old: str) -> Iterator[str]:
    if password != password.strip():
        yield "edgeSpace"
    names = {_plain(part) for part in (username, username.rpartition("@")[0])}
    if any(part in _plain(password) for part in names if len(part) >= _MIN_NAME):
        yield "containsUsername"
    if password == old:
        yield "sameAsOld"


def _own(rule: str) -> FieldError:
    return FieldError(_POINTER, rule, OWN_RULES[rule])


def _plain(text: str) -> str:
    """Return text to compare by. A password itself is never changed (ASVS 6.2.8)."""
    return unicodedata.normalize("NFC", text).casefold()
