"""The members of a request's body, each declared once with what it accepts.

A declaration both checks a value and gives the JSON Schema (2020-12) of what passes.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from urllib.parse import quote

from functions.problems import INVALID_PARAMETER, Failure, FieldError, Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.metrics import Incident


BODY: Final = "#"
OPTIONS: Final = "#/options"
"""The two objects of a request, as URI fragments (RFC 6901 §6)."""

_SURROGATES: Final = r"\ud800-\udfff"
"""Halves of characters, which JSON can write and no text can hold (RFC 8259 §8.2)."""

type Schema = dict[str, Any]


class Field[T]:
    """A member of the body; like Amplify, the required ones stand beside `options`, not in it."""

    def __init__(self, *, empty: Problem | None = None, default: T | None = None) -> None:
        """`empty` is the problem of a request without it; a field that has none is optional."""
        self.empty = empty
        self.default = default

    def __set_name__(self, owner: type["Request"], name: str) -> None:
        first, *rest = name.split("_")
        self.name = first + "".join(map(str.capitalize, rest))
        self.group = BODY if self.empty else OPTIONS
        self.pointer = f"{self.group}/{self.name}"

    def __get__(self, request: "Request", owner: type["Request"]) -> T:
        value: T = request.values[self.name]
        return value

    def check(self, value: object) -> Iterator[tuple[str, str]]:
        """Each rule that the value breaks, named as in JSON Schema, with a sentence about it."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """What `check` lets pass."""
        raise NotImplementedError


class Text(Field[str]):
    """A string whose characters are all allowed; passed on exactly as received (ASVS 6.2.8)."""

    max_length: ClassVar[int]
    refused: ClassVar[str] = r"\u0000-\u001f\u007f-\u009f"
    refused_are: ClassVar[str] = "control characters or half a surrogate pair"

    def check(self, value: object) -> Iterator[tuple[str, str]]:
        """Type, length in code points, and characters."""
        if not isinstance(value, str):
            yield "type", "must be a string."
            return
        if len(value) > self.max_length:
            yield "maxLength", f"must have at most {self.max_length} characters."
        if re.search(f"[{self.refused}{_SURROGATES}]", value):
            yield "pattern", f"must not contain {self.refused_are}."

    def schema(self) -> Schema:
        """Without what no schema can say: that half a surrogate pair is refused."""
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": self.max_length,
            "pattern": f"^[^{self.refused}]*$",
        }


class Username(Text):
    """Cognito's `Username`: a user name, or an alias such as an e-mail address."""

    max_length = 128
    refused = rf"\s{Text.refused}"
    refused_are = f"spaces, {Text.refused_are}"


class ConfirmationCode(Text):
    """Cognito's `ConfirmationCode`; six digits unless a trigger of the pool makes its own."""

    max_length = 2048
    refused = Username.refused
    refused_are = Username.refused_are


class Password(Text):
    """Cognito's `Password`; the pool's policy judges it, not this field."""

    max_length = 256


class Flag(Field[bool]):
    """An option that is off unless it is asked for."""

    def check(self, value: object) -> Iterator[tuple[str, str]]:
        """Type alone: neither 1 nor "true" is a boolean."""
        if not isinstance(value, bool):
            yield "type", "must be true or false."

    def schema(self) -> Schema:
        """A default that is not there need not be sent, nor null."""
        return {"type": ["boolean", "null"], "default": self.default}


class ClientMetadata(Field[dict[str, str]]):
    """What Cognito hands to the pool's triggers; the caller chooses it, so its size is bounded."""

    max_properties = 10
    max_name = 64
    max_value = 200

    def check(self, value: object) -> Iterator[tuple[str, str]]:
        """Type, number of members, and the length and characters of each."""
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            yield "type", "must be an object whose values are strings."
            return
        if len(value) > self.max_properties:
            yield "maxProperties", f"must have at most {self.max_properties} members."
        if any(len(k) > self.max_name or len(v) > self.max_value for k, v in value.items()):
            bounds = f"names of at most {self.max_name} characters, values of {self.max_value}"
            yield "maxLength", f"must have {bounds}."
        texts = (text for member in value.items() for text in member)
        if any(re.search(f"[{Text.refused}{_SURROGATES}]", text) for text in texts):
            yield "pattern", f"must not contain {Text.refused_are}."

    def schema(self) -> Schema:
        """Of the names, and of the values."""
        text = {"pattern": f"^[^{Text.refused}]*$"}
        return {
            "type": ["object", "null"],
            "maxProperties": self.max_properties,
            "propertyNames": text | {"maxLength": self.max_name},
            "additionalProperties": text | {"type": "string", "maxLength": self.max_value},
        }


class Caller(NamedTuple):
    """Who asks, as the gateway and its authorizer have it."""

    request_id: str = ""
    source_ip: str = ""
    user_agent: str = ""
    sub: str = ""
    """Of the user who is signed in."""
    username: str = ""
    """In the access token: what Cognito calls the user, which is not an alias."""
    access_token: str = ""
    idempotency_key: str = ""
    context: "LambdaContext | None" = None

    def __repr__(self) -> str:
        """Without the token, which a tuple would show."""
        return f"Caller(request_id={self.request_id!r})"


class Request:
    """What a caller asks for: an operation's request is a subclass with fields.

    The order of the fields is that of Amplify's checks, since the first empty one names the
    failure.
    """

    fields: ClassVar[Mapping[tuple[str, str], Field[Any]]]
    """By its group and its name."""

    def __init_subclass__(cls) -> None:
        declared = [field for field in vars(cls).values() if isinstance(field, Field)]
        cls.fields = {(field.group, field.name): field for field in declared}

    def __init__(self, body: object, caller: Caller) -> None:
        """Raise one `Failure` that lists everything that is wrong with the body."""
        self.caller = caller
        self.incidents: list[Incident] = []
        self.repeated = False
        members = _members(body)
        errors = [
            FieldError(_pointer(*member), "additionalProperties", "This member is not accepted.")
            for member in members
            if member not in self.fields
        ]
        empty = None
        self.values: dict[str, Any] = {}
        for member, field in self.fields.items():
            value = members.get(member)
            if field.empty and value in (None, ""):
                empty = empty or field.empty
                errors.append(FieldError(field.pointer, "required", f"{field.name} is required."))
            elif value is None:
                self.values[field.name] = field.default
            else:
                self.values[field.name] = value
                errors += [
                    FieldError(field.pointer, rule, f"{field.name} {detail}")
                    for rule, detail in field.check(value)
                ]
        if errors:
            raise Failure(empty or INVALID_PARAMETER, errors)

    @classmethod
    def schema(cls) -> Schema:
        """Of a body that is accepted."""
        properties: dict[str, dict[str, Schema]] = {BODY: {}, OPTIONS: {}}
        for (group, name), field in cls.fields.items():
            properties[group][name] = field.schema()
        options = {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": properties[OPTIONS],
        }
        return {
            "type": "object",
            "additionalProperties": False,
            "required": list(properties[BODY]),
            "properties": properties[BODY] | {"options": options},
        }

    @property
    def user(self) -> str:
        """Who it is about, to count and to compare by, not to send to Cognito."""
        name: str = self.values.get("username", "")
        return self.caller.sub or unicodedata.normalize("NFC", name).lower()


def _members(body: object) -> dict[tuple[str, str], object]:
    """The members of the body and of its options, each by its group and its name."""
    if not isinstance(body, dict):
        raise Failure(INVALID_PARAMETER, [FieldError(BODY, "type", "must be an object.")])
    options = body.get("options")
    if not isinstance(options, dict | None):
        raise Failure(INVALID_PARAMETER, [FieldError(OPTIONS, "type", "must be an object.")])
    members = {(BODY, name): value for name, value in body.items() if name != "options"}
    return members | {(OPTIONS, name): value for name, value in (options or {}).items()}


def _pointer(group: str, name: str) -> str:
    escaped = name.replace("~", "~0").replace("/", "~1")
    return f"{group}/{quote(escaped, safe='~', errors='replace')}"
