"""The body of a request: JSON, and nothing that two parsers could read differently."""

import base64
import json
from typing import Any, Final

from functions import problems
from functions.problems import Failure, FieldError

MAX_LENGTH: Final = 64 * 1024
"""Characters. No valid request is longer, even with every character escaped."""


def read_body(event: dict[str, Any], headers: dict[str, str]) -> object:
    """Return the parsed body, or raise the `Failure` that says why it cannot be read."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Failure(problems.UNSUPPORTED_MEDIA_TYPE)
    text = event.get("body") or ""
    if len(text) > MAX_LENGTH:
        raise Failure(problems.REQUEST_TOO_LARGE)
    try:
        if event.get("isBase64Encoded"):
            text = base64.b64decode(text, validate=True).decode()
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        pass
    raise _malformed("json", "The body is not valid JSON in UTF-8.")


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _malformed("uniqueNames", "The JSON contains a duplicate key.")
    return members


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
)


def _malformed(rule: str, detail: str) -> Failure:
    return Failure(problems.INVALID_REQUEST, [FieldError("#", rule, detail)])
