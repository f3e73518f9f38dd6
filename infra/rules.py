"""The rules of settings: what each kind of value must be, in words and as a function."""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, cast

MAX_NAMES: Final = 1000
"""Characters. Lambda has room for 4 KB of environment, and three settings are lists of names."""
MAX_SERVER_CALLERS: Final = 2
"""Secrets: the one in use, and the one that replaces it."""

_DEFERRED: Final = "${Token["
"""Begins what the CDK writes for a text that only CloudFormation knows."""


class Rule(NamedTuple):
    """The values that a setting accepts."""

    expected: str
    """The values in words."""
    read: Callable[[object], object]
    """Return a value that was given as itself or as text, or raise `ValueError`."""
    pattern: str = ".*"
    """The text of a value, or of each name in a list."""


def _read_flag(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise ValueError


FLAG: Final = Rule("true or false", _read_flag)
"""The rule of a switch."""


def text(pattern: str = ".*", example: str = "") -> Rule:
    """Return the rule of a text."""

    def read(value: object) -> str:
        # Cognito refuses a mail whose name has, for example, an ideographic space.
        if not isinstance(value, str) or not value.isprintable():
            raise ValueError
        if not value or _matches(pattern, value):
            return value
        raise ValueError

    return Rule(f"like {example}" if example else "text", read, pattern)


def number(least: int, most: int, kind: type[float] = int) -> Rule:
    """Return the rule of a number."""

    def read(value: object) -> float:
        given = kind(str(value))
        if least <= given <= most:
            return given
        raise ValueError

    return Rule(f"a {'whole ' if kind is int else ''}number from {least} to {most}", read)


def names(pattern: str = ".*", example: str = "a,b", kind: str = "names") -> Rule:
    """Return the rule of a list of names, which may be one text with commas."""

    def read(value: object) -> tuple[str, ...]:
        given = value.split(",") if isinstance(value, str) else value
        if isinstance(given, list | tuple) and all(isinstance(name, str) for name in given):
            stripped = tuple(name.strip() for name in given if name.strip())
            fits = len(",".join(stripped)) <= MAX_NAMES
            if fits and all(_matches(pattern, name) for name in stripped):
                return stripped
        raise ValueError

    return Rule(f"comma-separated {kind}, such as {example}, at most {MAX_NAMES} characters", read)


def servers() -> Rule:
    """Return the rule of the names of servers."""
    listed = names("[A-Za-z][A-Za-z0-9]{0,31}")

    def read(value: object) -> object:
        found = cast("tuple[str, ...]", listed.read(value))
        if len({name.lower() for name in found}) == len(found) <= MAX_SERVER_CALLERS:
            return found
        raise ValueError

    return Rule("one or two different names of letters and digits, such as web", read)


def choice(*options: str) -> Rule:
    """Return the rule of a choice between words."""

    def read(value: object) -> str:
        if value in options:
            return str(value)
        raise ValueError

    return Rule(f"one of {', '.join(options)}", read)


def _matches(pattern: str, text: str) -> bool:
    return text.startswith(_DEFERRED) or re.fullmatch(pattern, text) is not None
