"""The kinds of fields in a request's body. Each declares the values that it accepts.

`apidocs/schemas.py` has the JSON Schema of each kind, and a test compares the two.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from functions import names
from functions.problems import REQUEST_RULES, FieldError, Problem

if TYPE_CHECKING:
    from functions.requests import Request
    from functions.settings import Runtime

BODY: Final = "#"
OPTIONS: Final = "#/options"
"""The two objects of a request, as URI fragments (RFC 6901 §6)."""

_SURROGATES: Final = r"\ud800-\udfff"
"""Surrogates, which JSON can write but no text can hold (RFC 8259 §8.2)."""


class Field[T]:
    """A field of the body. As in Amplify, optional fields are in `options`, but for one."""

    def __init__(
        self, *, empty: Problem | None = None, default: T | None = None, may_be_absent: bool = False
    ) -> None:
        """`empty` is the problem of a request without the field; None makes it an option.

        A field that `may_be_absent` can be left out, but not be empty or null.
        """
        self.empty = empty
        self.default = default
        self.may_be_absent = may_be_absent

    def __set_name__(self, owner: type["Request"], name: str) -> None:
        first, *rest = name.split("_")
        self.name = first + "".join(map(str.capitalize, rest))
        self.label = name.replace("_", " ").capitalize()
        self.group = BODY if self.empty else OPTIONS
        self.pointer = f"{self.group}/{self.name}"
        owner.fields = {**owner.fields, (self.group, self.name): self}

    def __get__(self, request: "Request", owner: type["Request"]) -> T:
        value: T = request.values[self.name]
        return value

    def fold(self, value: object, _settings: "Runtime") -> object:
        """Return the value as the operation gets it."""
        return value

    def check(self, value: object, settings: "Runtime") -> Iterator[FieldError]:
        """Yield an error for each rule that the value breaks; rules have JSON Schema's names."""
        raise NotImplementedError

    def error(self, rule: str, predicate: str = "", **params: int) -> FieldError:
        """Return an error of this field: the rule's own sentence, or the predicate if given."""
        sentence = f"{{field}} {predicate}." if predicate else REQUEST_RULES[rule]
        return FieldError(self.pointer, rule, sentence.format(field=self.label, **params), params)


class Text(Field[str]):
    """A string, passed on exactly as received (ASVS 6.2.8)."""

    max_length: ClassVar[int]
    refused: ClassVar[str] = ""
    """Characters that it must not contain, as in a regular expression."""

    def check(self, value: object, _settings: "Runtime") -> Iterator[FieldError]:
        """Check the type, the length in code points, and the characters."""
        if not isinstance(value, str):
            yield self.error("type", "must be a string")
            return
        if len(value) > self.max_length:
            yield self.error("maxLength", maximum=self.max_length)
        if re.search(f"[{self.refused}{_SURROGATES}]", value):
            yield self.error("pattern", UNPRINTABLE)


CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f"
UNPRINTABLE: Final = "must not contain unprintable characters"
INVISIBLE: Final = ("Cf", "Zs", "Zl", "Zp", "Cc")
"""The general categories of Unicode that a username and a code lose: they come with a paste.

Cognito's own pattern for usernames allows none of them, so no two accounts become one.
"""


class Username(Text):
    """Cognito's `Username`, as people paste it: a username, or an alias such as an email address.

    Nothing is normalized: two names that look the same may belong to two users. Where users have no
    other name than an address or a phone number, it is taken out of what surrounds it.
    """

    max_length = 128

    def fold(self, value: object, settings: "Runtime") -> object:
        """Remove the characters that nobody sees, and what surrounds an address or a number."""
        if not isinstance(value, str):
            return value
        # A link to an address may have more of them, written with a percent sign.
        return _show(names.unwrap(_show(value), settings.sign_in_attributes))

    def check(self, value: object, settings: "Runtime") -> Iterator[FieldError]:
        """Refuse what cannot be an address or a number as well, where nobody has another name."""
        yield from super().check(value, settings)
        if isinstance(value, str) and not names.is_sign_in_name(value, settings.sign_in_attributes):
            yield self.error("signInName")


class ConfirmationCode(Text):
    """Cognito's `ConfirmationCode`: six digits, unless a trigger of the pool makes its own."""

    max_length = 2048

    def fold(self, value: object, _settings: "Runtime") -> object:
        """Remove the characters that nobody sees.

        If nothing but digits and dashes is left, remove the dashes and write the digits in ASCII.
        """
        if not isinstance(value, str):
            return value
        folded = _show(value)
        digits = names.remove_dashes(folded)
        return names.write_digits(digits) if digits.isdecimal() else folded


def _show(text: str) -> str:
    """Return only the characters that somebody can see."""
    return "".join(one for one in text if unicodedata.category(one) not in INVISIBLE)


class Password(Text):
    """Cognito's `Password`. One that Cognito cannot hold is a wrong password."""

    max_length = 256


class NewPassword(Password):
    """Cognito's `Password`, for a new one. The pool's policy is checked later."""

    refused = CONTROLS
    unrepeatable: ClassVar = {
        "replacementCharacter": r"\ufffd",
        "invisibleCharacter": (
            r"\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc"
        ),
    }
    """Characters that the user could not type again, by the rule that refuses them.

    A decoder inserts the first one for invalid UTF-8. Joiners (U+200C and U+200D) and tags are part
    of emoji and of many scripts.
    """

    def check(self, value: object, settings: "Runtime") -> Iterator[FieldError]:
        """Refuse characters that the user could not type again as well."""
        yield from super().check(value, settings)
        for rule, characters in self.unrepeatable.items():
            if isinstance(value, str) and re.search(f"[{characters}]", value):
                yield self.error(rule)


class Flag(Field[bool]):
    """An option that is off by default."""

    def check(self, value: object, _settings: "Runtime") -> Iterator[FieldError]:
        """Check the type: neither 1 nor "true" is a boolean."""
        if not isinstance(value, bool):
            yield self.error("type", "must be true or false")


class ClientMetadata(Field[dict[str, str]]):
    """Data for the pool's triggers. The caller chooses it, so its size is bounded."""

    max_properties = 10
    max_name = 64
    max_value = 200

    def check(self, value: object, _settings: "Runtime") -> Iterator[FieldError]:
        """Check the type, the number of members, and each one's length and characters."""
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            yield self.error("type", "must be an object whose values are strings")
            return
        if len(value) > self.max_properties:
            yield self.error("maxProperties", maximum=self.max_properties)
        if any(len(k) > self.max_name or len(v) > self.max_value for k, v in value.items()):
            name, most = self.max_name, self.max_value
            bound = f"must have names of at most {name} characters and values of at most {most}"
            yield self.error("maxLength", bound, maximumName=name, maximum=most)
        texts = (text for member in value.items() for text in member)
        if any(re.search(f"[{CONTROLS}{_SURROGATES}]", text) for text in texts):
            yield self.error("pattern", UNPRINTABLE)
