"""The rules for a new password, all checked at once and for every username alike."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from functions.aws import cognito
from functions.problems import INVALID_REQUEST, PASSWORD_REFUSED, REQUEST_RULES, Failure, FieldError
from functions.protection import breaches
from functions.records import Cause
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
    "containsUsername": "The password must not contain a name that you sign in with.",
    "sameAsOld": "The password must differ from the old one.",
    "breached": "This password has appeared in a data breach. Choose a different one.",
}
"""The rules that Cognito does not have; the last one is checked if no other is broken."""
SIGN_IN_NAME: Final = "signInName"
"""The rule about the username of a caller who is not signed in."""


PASSWORD_RULES: Final = (MIN_LENGTH, *(rule.rule for rule in CHARACTERS.values()), *OWN_RULES)


def check_rules(request: Request, password: str, names: Collection[str], *, old: str = "") -> None:
    """Raise one `Failure` that lists every rule that the new password or the name breaks.

    `names` are those that the user signs in by. If the pool cannot be read, Cognito applies its
    policy later.
    """
    pool = cognito.describe_pool(request.settings, request.record)
    errors = [
        *_break_policy(pool.policy, password),
        *(_own(rule) for rule in _break_own_rules(password, names, old)),
    ]
    if not request.operation.signed_in and pool.username_attributes and any(map(_is_sub, names)):
        # A cause of its own, because Cognito's error of the same code is hidden.
        cause = Cause.NOT_A_SIGN_IN_NAME
        raise Failure(INVALID_REQUEST, [_NOT_A_SIGN_IN_NAME, *errors], cause=cause)
    if errors:
        raise Failure(PASSWORD_REFUSED, errors)


def check_breaches(request: Request, password: str) -> None:
    """Raise a `Failure` if the password appeared in a data breach."""
    if breaches.contain(request, password):
        raise Failure(PASSWORD_REFUSED, [_own("breached")])


def describe_min_length(minimum: int) -> FieldError:
    """Return the error of a password that is too short."""
    detail = f"The password must have at least {minimum} characters."
    return FieldError(_POINTER, MIN_LENGTH, detail, {"minimum": minimum})


_POINTER: Final = "#/newPassword"
_NOT_A_SIGN_IN_NAME: Final = FieldError(
    "#/username",
    SIGN_IN_NAME,
    REQUEST_RULES[SIGN_IN_NAME].format(member="username"),
)


def _break_policy(policy: dict[str, Any], password: str) -> Iterator[FieldError]:
    if len(password) < policy.get("MinimumLength", 0):
        yield describe_min_length(policy["MinimumLength"])
    for name, (rule, pattern, detail) in CHARACTERS.items():
        if policy.get(name) and not re.search(pattern, password):
            yield FieldError(_POINTER, rule, detail)


def _break_own_rules(password: str, names: Collection[str], old: str) -> Iterator[str]:
    if password != password.strip():
        yield "edgeSpace"
    # A phone number begins with a plus, which few people type.
    parts = {_plain(p) for name in names for p in (name.lstrip("+"), name.rpartition("@")[0])}
    if any(part in _plain(password) for part in parts if len(part) >= _MIN_NAME):
        yield "containsUsername"
    if password == old:
        yield "sameAsOld"


def _is_sub(name: str) -> bool:
    """Return whether a name is formed like the ID that Cognito gives to each user."""
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name, re.IGNORECASE))


def _own(rule: str) -> FieldError:
    return FieldError(_POINTER, rule, OWN_RULES[rule])


def _plain(text: str) -> str:
    """Return text to compare by. A password itself is never changed (ASVS 6.2.8)."""
    return unicodedata.normalize("NFC", text).casefold()
