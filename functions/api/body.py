"""Parse request bodies strictly, so that no two JSON parsers could read them differently."""

import base64
import json
import re
from typing import Any, Final

from functions import problems
from functions.fields import BODY
from functions.problems import REQUEST_RULES, Failure, FieldError

MAX_LENGTH: Final = 64 * 1024
"""Characters. No valid request is longer, even with every character escaped."""

_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)')
_UTF_8: Final = {"utf-8", "utf8"}


def read_body(event: dict[str, Any], headers: dict[str, str]) -> object:
    """Return the parsed body, or raise a `Failure` that explains why it cannot be parsed."""
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    # HTTP's own white space only, so that the firewall sees the same type (RFC 9110 §5.6.3).
    if media_type.strip(" \t") != "application/json":
        raise Failure(problems.UNSUPPORTED_MEDIA_TYPE)
    if any(charset not in _UTF_8 for charset in _CHARSET.findall(f";{parameters}")):
        raise _malformed("charset", "Content-Type")
    text = event.get("body") or ""
    if len(text) > MAX_LENGTH:
        raise Failure(problems.REQUEST_TOO_LARGE)
    try:
        if event.get("isBase64Encoded"):
            text = base64.b64decode(text, validate=True).decode()
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        pass
    raise _malformed("json")


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _malformed("uniqueNames")
    return members


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
)


def _malformed(rule: str, pointer: str = BODY) -> Failure:
    return Failure(problems.INVALID_REQUEST, [FieldError(pointer, rule, REQUEST_RULES[rule])])
