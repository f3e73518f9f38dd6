"""The door's view of a request to the API and of the calls of the functions that follow it.

The page draws it. A call has the names of what it holds, such as `password`, and never a value.
"""

import json
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

MOST: Final = 100
"""Calls that are kept. A request causes about twenty."""

FIELDS: Final = {
    "username": "address",
    "confirmationCode": "code",
    "oldPassword": "password",
    "newPassword": "password",
}
"""The fields of requests, by what people call them."""

_PLACES: Final = {
    "AmazonSQS": "queue",
    "AWSCognitoIdentityProviderService": "cognito",
    "AWSEvents": "events",
    "DynamoDB_20120810": "table",
}
"""The services by the first part of `X-Amz-Target`."""
_MAIL_PATH: Final = "/v2/email/outbound-emails"


class Call(TypedDict):
    """A request to the API, or a call of a function."""

    time: float
    """Seconds since the epoch."""
    at: str
    """The receiver of the call."""
    by: str
    """The function that makes it; empty for a request to the API, and for an unsigned call."""
    action: str
    has: list[str]
    """The names of what belongs to the latest request, if the call has it in its bytes."""
    got: NotRequired[list[str]]
    """The names of what belongs to it, if the answer has it."""
    status: NotRequired[int]
    seconds: NotRequired[float]
    """The status of the answer, as soon as there is one, and the time until then."""


class Watch:
    """The latest calls."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=MOST)
        # A call that Cognito takes without a signature names no function.
        self._functions = {"": ""}
        self._typed: list[tuple[str, re.Pattern[str]]] = []

    def introduce(self, key: str, handler: str) -> None:
        """Remember the name of the function that got an access key, from that of its handler."""
        self._functions[key] = handler.split(".")[1]

    def request(self, path: str, headers: Mapping[str, str], body: bytes) -> Call:
        """Note a request to the API, and what was typed for it."""
        typed = [(name, value) for name, value in _read(body).items() if name in FIELDS]
        self._typed = [
            (FIELDS[name], _pattern(value)) for name, value in typed if isinstance(value, str)
        ]
        token = headers.get("authorization", "").removeprefix("Bearer ")
        self._typed += [("token", _pattern(token))] if token else []
        has = sorted({name for name, _ in self._typed})
        return self._add("gateway", "", f"POST {path}", has)

    def call(self, key: str, path: str, headers: Mapping[str, str], body: bytes) -> Call | None:
        """Note a call, if a function makes it of a service that people want to see."""
        service, _, action = headers.get("x-amz-target", "").partition(".")
        if path == _MAIL_PATH:
            place, action = "mail", "SendEmail"
        else:
            place = _PLACES.get(service, "")
        by = self._functions.get(key)
        if not place or by is None:
            return None
        text = body.decode("utf-8", "replace")
        has = sorted({name for name, pattern in self._typed if pattern.search(text)})
        return self._add(place, by, action, has)

    def learn(self, call: Call, body: bytes) -> None:
        """Note the address of a signed-in user, who types none, from an answer of Cognito."""
        if call["action"] == "GetUser":
            for attribute in _read(body).get("UserAttributes", ()):
                if attribute["Name"] == "email":
                    self._typed.append(("address", _pattern(attribute["Value"])))
                    call["got"] = ["address"]

    def _add(self, at: str, by: str, action: str, has: list[str]) -> Call:
        call = Call(time=time.time(), at=at, by=by, action=action, has=has)
        self.calls.append(call)
        return call


def end(call: Call, status: int) -> None:
    """Note the answer to a call."""
    call["status"], call["seconds"] = status, time.time() - call["time"]


def _read(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _pattern(value: str) -> re.Pattern[str]:
    """Return what finds a value: as it is, as JSON has it, and as JSON has it inside JSON."""
    once = json.dumps(value)[1:-1]
    spellings = {value, once, json.dumps(once)[1:-1]} - {""}
    found = "|".join(map(re.escape, spellings)) or "(?!)"
    return re.compile(rf"(?<!\w)(?:{found})(?!\w)", re.IGNORECASE)
