"""A request as the operations see it: its fields and its caller."""

import math
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple
from urllib.parse import quote

from functions.fields import BODY, OPTIONS, Field
from functions.operations import Operation
from functions.problems import INVALID_REQUEST, REQUEST_RULES, Failure, FieldError
from functions.settings import Runtime

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

type Body = Mapping[str, object] | None
"""The body of a response, if it has one."""

MAX_NAME: Final = 64
"""The longest name of an unknown field that a response repeats."""


class Caller(NamedTuple):
    """The sender of the request, as the gateway and its authorizer report it."""

    request_id: str = ""
    source_ip: str = ""
    by_server: bool = False
    """A server of the operator named the address, which is its user's."""
    user_agent: str | None = None
    """None for the worker, which does not know it."""
    language: str = ""
    """The language of the request, if we have texts in it. No response depends on it."""
    idempotency_key: str = ""
    sub: str = ""
    """The signed-in user's own ID."""
    username: str = ""
    """The username in the access token, which is not an alias."""
    access_token: str = ""
    signed_in_at: float = math.nan
    """When the user last signed in, in seconds since the epoch; not a number if unknown."""
    context: "LambdaContext | None" = None
    """Lambda's own."""
    message_id: str = ""
    """SQS's own ID of the message, if the worker carries out one. No caller can choose it."""

    @property
    def seconds_left(self) -> float:
        """The time until Lambda stops the function."""
        return self.context.get_remaining_time_in_millis() / 1000 if self.context else 0.0

    def __repr__(self) -> str:
        """Leave out the token, which a tuple would show."""
        return f"Caller(request_id={self.request_id!r})"


class Subject(NamedTuple):
    """The user whom a request or a message is about."""

    sub: str = ""
    """The user's own ID, if it is known. No request looks it up for an event."""
    username: str = ""
    """The name as it was typed, if the caller is not signed in."""

    @property
    def key(self) -> str:
        """The normalised user identifier. For limits and logs only; never sent to Cognito."""
        return self.sub or unicodedata.normalize("NFC", self.username).lower()

    @property
    def members(self) -> dict[str, str]:
        """The members of an event that name the user."""
        return {name: value for name, value in self._asdict().items() if value}


class Request:
    """The body of an operation; each operation's request is a subclass with fields.

    The fields are declared in the order of Amplify's checks, because the first missing one names
    the problem.
    """

    operation: ClassVar[Operation]
    fields: ClassVar[Mapping[tuple[str, str], Field[Any]]] = {}
    """The declared fields by group and name. Each adds itself."""

    def __init__(self, body: object, settings: Runtime) -> None:
        """Raise one `Failure` that lists everything that is wrong with the body."""
        members = _members(body)
        errors: list[FieldError] = []
        empty = None
        self.values: dict[str, Any] = {}
        for member, field in self.fields.items():
            given = members.get(member)
            value = self.values[field.name] = field.fold(given, settings)
            if field.may_be_absent and member not in members:
                continue
            if field.empty and value in (None, ""):
                empty = empty or field.empty
                errors.append(field.error("required"))
            elif given is None:
                self.values[field.name] = field.default
            else:
                errors += field.check(value, settings)
        # Last, so that a long list is cut after the errors of the fields.
        errors += [_unknown(*member) for member in members if member not in self.fields]
        if errors:
            raise Failure(empty or INVALID_REQUEST, errors)


def _members(body: object) -> dict[tuple[str, str], object]:
    """The members of the body and of its options, each by its group and its name."""
    if not isinstance(body, dict):
        raise _no_object(BODY, "The body")
    options = body.get("options")
    if not isinstance(options, dict | None):
        raise _no_object(OPTIONS, "options")
    members = {(BODY, name): value for name, value in body.items() if name != "options"}
    return members | {(OPTIONS, name): value for name, value in (options or {}).items()}


def _no_object(pointer: str, subject: str) -> Failure:
    error = FieldError(pointer, "type", f"{subject} must be a JSON object.")
    return Failure(INVALID_REQUEST, [error])


def _unknown(group: str, name: str) -> FieldError:
    rule = "additionalProperties"
    if len(name) > MAX_NAME:
        detail = f"A field whose name has more than {MAX_NAME} characters is not supported."
        return FieldError(group, rule, detail, {"maximum": MAX_NAME})
    escaped = name.replace("~", "~0").replace("/", "~1")
    pointer = f"{group}/{quote(escaped, safe='~', errors='replace')}"
    return FieldError(pointer, rule, REQUEST_RULES[rule])
