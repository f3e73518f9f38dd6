"""Assertions that responses match the OpenAPI document."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from jsonschema_rs import Draft4Validator, Draft202012Validator

from apidocs.languages import build_english
from apidocs.openapi import build
from functions.operations import Operation
from functions.problems import JSON, PROBLEMS
from tests.support import ROOT
from tests.support.invocation import Reply

WITH_BODY: Final = [operation for operation in Operation if operation.has_body]
"""The operations whose requests can be wrong, and which act for a user."""

EVENTS: Final = ROOT / "docs" / "reference" / "events"
"""The schema of each event."""

_document = cache(build)
RULES = build_english()["rules"]


def ids(value: object) -> object:
    """The names of parametrized cases: an operation's own, or pytest's."""
    return value.id if isinstance(value, Operation) else value if isinstance(value, str) else None


def assert_is_problem(reply: Reply, status: int, code: str) -> None:
    """Assert that the reply has the shape that every failure has."""
    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.headers["Content-Type"] == JSON
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["x-amzn-errortype"] == code
    assert ("Retry-After" in reply.headers) == (status in {429, 503})
    (problem,) = (problem for problem in PROBLEMS if problem.type == reply.body["type"])
    challenge = problem.headers.get("WWW-Authenticate", "")
    assert reply.headers.get("WWW-Authenticate", "").startswith(challenge)
    assert challenge.startswith('Bearer error="') or status != 401
    document = problem.document(reply.body["requestId"])
    assert {name: reply.body[name] for name in reply.body if name != "errors"} == document
    # A client that knows the language translates only by these.
    for error in reply.body.get("errors", []):
        assert RULES[error["rule"]].format(**error.get("params", {}))


def check(operation: Operation, status: int, headers: Mapping[str, str], text: str) -> None:
    """Assert that the document has the status, its headers, such a body, and this very problem."""
    answer = _answer(operation, status)
    for name in answer["headers"]:
        if _document()["components"]["headers"][name].get("required"):
            assert name in headers, (name, headers)
    if "content" not in answer:
        assert text == ""
        return
    body, media_type = json.loads(text), headers["Content-Type"]
    _validator(operation, status, media_type).validate(body)
    if media_type == JSON:
        params = {name for error in body.pop("errors", []) for name in error.get("params", {})}
        assert params <= {*_document()["components"]["schemas"]["FieldErrorParams"]["properties"]}
        examples = answer["content"][JSON]["examples"].values()
        assert body in [shown["value"] | {"requestId": body["requestId"]} for shown in examples]


def check_event(event: Mapping[str, Any]) -> None:
    """Assert that an event is as the file of its schema says, and has no member that it lacks."""
    schema = json.loads((EVENTS / f"{event['detail-type'].replace(' ', '')}.json").read_text())
    Draft4Validator(schema, validate_formats=True).validate(event)
    assert event["detail"].keys() <= schema["properties"]["detail"]["properties"].keys()


def deliver(entry: Mapping[str, str]) -> dict[str, Any]:
    """Return the event that EventBridge makes of an entry that was put."""
    return {
        "version": "0",
        "id": "an-id",
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2026-11-29T08:00:00Z",
        "resources": [],
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
    }


def undocumented(operation: Operation, status: int, headers: Iterable[str]) -> set[str]:
    """The headers that the document does not name; it must not name `Content-Type`."""
    return set(headers) - set(_answer(operation, status)["headers"]) - {"Content-Type"}


def _answer(operation: Operation, status: int) -> dict[str, Any]:
    described = _document()["paths"][operation.path][operation.method.lower()]
    answer: dict[str, Any] = described["responses"][str(status)]
    return answer


@cache
def _validator(operation: Operation, status: int, media_type: str) -> Draft202012Validator:
    schema = _answer(operation, status)["content"][media_type]["schema"]
    return Draft202012Validator(schema | {"components": _document()["components"]})
