"""The kinds of fields in a request's body. Each declares the values that it accepts.

A declaration checks a value and provides the JSON Schema (2020-12) of valid ones.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from functions.problems import REQUEST_RULES, FieldError, Problem

if TYPE_CHECKING:
    from functions.requests import Request

BODY: Final = "#"
OPTIONS: Final = "#/options"
"""The two objects of a request, as URI fragments (RFC 6901 §6)."""

_SURROGATES: Final = r"\ud800-\udfff"
"""Surrogates, which JSON can write but no text can hold (RFC 8259 §8.2)."""

_REPLACEMENT: Final = "\ufffd"
"""The character that decoders insert for invalid UTF-8. The typed one is lost."""

type Schema = dict[str, Any]


class Field[T]:
    """A field of the body. As in Amplify, optional fields are in `options`."""

    def __init__(self, *, empty: Problem | None = None, default: T | None = None) -> None:
        """`empty` is the problem of a request without the field; None makes it optional."""
        self.empty = empty
        self.default = default

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

    def fold(self, value: object) -> object:
        """Return the value as the operation gets it."""
        return value

    def check(self, value: object) -> Iterator[FieldError]:
        """Yield an error for each rule that the value breaks; rules have JSON Schema's names."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """Return the schema of the values that `check` accepts."""
        raise NotImplementedError

    def error(self, rule: str, predicate: str = "", **params: int) -> FieldError:
        """Return an error of this field: the rule's own sentence, or the predicate if given."""
        sentence = f"{{field}} {predicate}." if predicate else REQUEST_RULES[rule]
        return FieldError(self.pointer, rule, sentence.format(field=self.label, **params), params)


class Text(Field[str]):
    """A string of allowed characters, passed on exactly as received (ASVS 6.2.8)."""

    max_length: ClassVar[int]
    refused: ClassVar[str] = r"\u0000-\u001f\u007f-\u009f"
    refused_are: ClassVar[str] = "unprintable characters"

    def check(self, value: object) -> Iterator[FieldError]:
        """Check the type, the length in code points, and the characters."""
        if not isinstance(value, str):
            yield self.error("type", "must be a string")
            return
        if len(value) > self.max_length:
            yield self.error("maxLength", maximum=self.max_length)
        if re.search(f"[{self.refused}{_SURROGATES}]", value):
            yield self.error("pattern", f"must not contain {self.refused_are}")

    def schema(self) -> Schema:
        """Return the schema. It cannot say that unpaired surrogates are refused."""
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": self.max_length,
            "pattern": f"^[^{self.refused}]*$",
        }


INVISIBLE: Final = ("Cf", "Zs", "Zl", "Zp", "Cc")
"""The general categories of Unicode that a username and a code lose: they come with a paste.

Cognito's own pattern for usernames allows none of them, so no two accounts become one.
"""
DASH: Final = "Pd"
"""The category of hyphens and dashes, which a code of digits loses."""


class Username(Text):
    """Cognito's `Username`, as people paste it: a username, or an alias such as an email address.

    Nothing is normalized: two names that look alike may belong to two users.
    """

    max_length = 128
    refused = ""

    def fold(self, value: object) -> object:
        """Remove the characters that nobody sees."""
        return _remove(value, INVISIBLE) if isinstance(value, str) else value

    def schema(self) -> Schema:
        """Return the schema of a text with a character that remains."""
        return super().schema() | {"pattern": f"[^{_characters(INVISIBLE)}]"}


class ConfirmationCode(Username):
    """Cognito's `ConfirmationCode`: six digits, unless a trigger of the pool makes its own."""

    max_length = 2048

    def fold(self, value: object) -> object:
        """Remove dashes, too, and write digits in ASCII, if nothing but digits is left."""
        folded = super().fold(value)
        digits = _remove(folded, (DASH,)) if isinstance(folded, str) else ""
        if not digits.isdecimal():
            return folded
        return "".join(str(unicodedata.decimal(one)) for one in digits)


def _remove(text: str, categories: tuple[str, ...]) -> str:
    return "".join(one for one in text if unicodedata.category(one) not in categories)


@cache
def _characters(categories: tuple[str, ...]) -> str:
    """Return the characters of the categories as ranges of a regular expression."""
    found = [n for n in range(sys.maxunicode) if unicodedata.category(chr(n)) in categories]
    first = [n for n in found if n - 1 not in found]
    last = [n for n in found if n + 1 not in found]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(first, last, strict=True))


class Password(Text):
    """Cognito's `Password`. The pool's policy is checked later."""

    max_length = 256

    def check(self, value: object) -> Iterator[FieldError]:
        """Refuse U+FFFD as well, because the user could not type such a password again."""
        yield from super().check(value)
        if isinstance(value, str) and _REPLACEMENT in value:
            yield self.error("replacementCharacter")

    def schema(self) -> Schema:
        """Return the schema of any text without U+FFFD."""
        return super().schema() | {"pattern": f"^[^{self.refused}\\ufffd]*$"}


class Flag(Field[bool]):
    """An option that is off by default."""

    def check(self, value: object) -> Iterator[FieldError]:
        """Check the type: neither 1 nor "true" is a boolean."""
        if not isinstance(value, bool):
            yield self.error("type", "must be true or false")

    def schema(self) -> Schema:
        """Return a schema that accepts null, too, for the default."""
        return {"type": ["boolean", "null"], "default": self.default}


class ClientMetadata(Field[dict[str, str]]):
    """Data for the pool's triggers. The caller chooses it, so its size is bounded."""

    max_properties = 10
    max_name = 64
    max_value = 200

    def check(self, value: object) -> Iterator[FieldError]:
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
        if any(re.search(f"[{Text.refused}{_SURROGATES}]", text) for text in texts):
            yield self.error("pattern", f"must not contain {Text.refused_are}")

    def schema(self) -> Schema:
        """Return the schema of the names and of the values."""
        text = {"pattern": f"^[^{Text.refused}]*$"}
        return {
            "type": ["object", "null"],
            "maxProperties": self.max_properties,
            "propertyNames": text | {"maxLength": self.max_name},
            "additionalProperties": text | {"type": "string", "maxLength": self.max_value},
        }
