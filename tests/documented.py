"""Whether an answer is one that `openapi.json` has for the operation."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from functions.operations import Operation
from functions.problems import JSON
from infra.openapi import build

_document = cache(build)


def check(operation: Operation, status: int, headers: Mapping[str, str], text: str) -> None:
    """Assert that the document has the status, its headers, such a body, and this very problem."""
    answer = _answer(operation, status)
    for name in answer["headers"]:
        if _component(name).get("required"):
            assert name in headers, (name, headers)
    if "content" not in answer:
        assert text == ""
        return
    body, media_type = json.loads(text), headers["Content-Type"]
    _validator(operation, status, media_type).validate(body)
    if media_type == JSON:
        body.pop("errors", None)
        examples = answer["content"][JSON]["examples"].values()
        assert body in [shown["value"] | {"requestId": body["requestId"]} for shown in examples]


def undocumented(operation: Operation, status: int, headers: Iterable[str]) -> set[str]:
    """The headers that the document does not name; it must not name `Content-Type`."""
    return set(headers) - set(_answer(operation, status)["headers"]) - {"Content-Type"}


def _answer(operation: Operation, status: int) -> dict[str, Any]:
    described = _document()["paths"][operation.path][operation.method.lower()]
    answer: dict[str, Any] = described["responses"][str(status)]
    return answer


def _component(header: str) -> dict[str, Any]:
    component: dict[str, Any] = _document()["components"]["headers"][header]
    return component


@cache
def _validator(operation: Operation, status: int, media_type: str) -> Draft202012Validator:
    schema = _answer(operation, status)["content"][media_type]["schema"]
    return Draft202012Validator(schema | {"components": _document()["components"]})
