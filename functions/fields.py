"""The members of a request's body, each declared once with what it accepts."""

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import quote

from functions.problems import INVALID_PARAMETER, Failure, FieldError, Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.metrics import Incident


class Field[T]:
    """A member of the body; like Amplify, the required ones stand beside `options`, not in it."""

    def __init__(self, *, empty: Problem | None = None, default: T | None = None) -> None:
        """`empty` is the problem of a request without it; a field that has none is optional."""
        self.empty = empty
        self.default = default

    def __set_name__(self, owner: type["Request"], name: str) -> None:
        first, *rest = name.split("_")
        self.name = first + "".join(map(str.capitalize, rest))
        self.pointer = f"#/{self.name}" if self.empty else f"#/options/{self.name}"

    def __get__(self, request: "Request", owner: type["Request"]) -> T:
        value: T = request.values[self.name]
        return value

    def check(self, value: object) -> Iterator[tuple[str, str]]:
        """Each rule that the value breaks, named as in JSON Schema, with a sentence about it."""
        raise NotImplementedError


class Text(Field[str]):
    """A string whose characters are all allowed; passed on exactly as received (ASVS 6.2.8)."""

    max_length: ClassVar[int]
    refused: ClassVar[str] = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
    refused_are: ClassVar[str] = "control characters or half a surrogate pair"

    def check(self, value: object) -> Iterator[tuple[str, str]]:
        """Type, length in code points, and characters."""
        if not isinstance(value, str):
            yield "type", "must be a string."
            return
        if len(value) > self.max_length:
            yield "maxLength", f"must have at most {self.max_length} characters."
        if re.search(self.refused, value):
            yield "pattern", f"must not contain {self.refused_are}."


class Username(Text):
    """Cognito's `Username`: a user name, or an alias such as an e-mail address."""

    max_length = 128
    refused = rf"\s|{Text.refused}"
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


class ClientMetadata(Field[dict[str, str]]):
    """What Cognito hands to the pool's triggers; the caller chooses it, so its size is bounded."""

    max_properties = 10
    max_name = 64
    max_value = 256

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
        if any(re.search(Text.refused, text) for item in value.items() for text in item):
            yield "pattern", f"must not contain {Text.refused_are}."


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

    def __init__(self, body: object, caller: Caller) -> None:
        """Raise one `Failure` that lists everything that is wrong with the body."""
        self.caller = caller
        self.incidents: list[Incident] = []
        self.repeated = False
        fields = {f.pointer: f for f in vars(type(self)).values() if isinstance(f, Field)}
        members = _members(body, "options" if any("/options/" in p for p in fields) else None)
        errors = [
            FieldError(pointer, "additionalProperties", "This member is not accepted.")
            for pointer in members
            if pointer not in fields
        ]
        empty = None
        self.values: dict[str, Any] = {}
        for pointer, field in fields.items():
            value = members.get(pointer)
            if field.empty and value in (None, ""):
                empty = empty or field.empty
                errors.append(FieldError(pointer, "required", f"{field.name} is required."))
            elif value is None:
                self.values[field.name] = field.default
            else:
                self.values[field.name] = value
                errors += [
                    FieldError(pointer, rule, f"{field.name} {detail}")
                    for rule, detail in field.check(value)
                ]
        if errors:
            raise Failure(empty or INVALID_PARAMETER, errors)

    @property
    def user(self) -> str:
        """Who it is about, to count and to compare by, not to send to Cognito."""
        name: str = self.values.get("username", "")
        return self.caller.sub or unicodedata.normalize("NFC", name).lower()


def _members(body: object, group: str | None) -> dict[str, object]:
    """The members of the body and of its group, by pointer: URI fragments (RFC 6901 §6)."""
    if not isinstance(body, dict):
        raise Failure(INVALID_PARAMETER, [FieldError("#", "type", "must be an object.")])
    members = {_pointer("#", name): value for name, value in body.items()}
    inner = members.pop(f"#/{group}", None)
    if inner is None:
        return members
    if not isinstance(inner, dict):
        raise Failure(INVALID_PARAMETER, [FieldError(f"#/{group}", "type", "must be an object.")])
    return members | {_pointer(f"#/{group}", name): value for name, value in inner.items()}


def _pointer(parent: str, name: str) -> str:
    escaped = name.replace("~", "~0").replace("/", "~1")
    return f"{parent}/{quote(escaped, safe='~', errors='replace')}"
