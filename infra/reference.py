"""The OpenAPI document as a page to read: `make openapi`."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from functions.problems import JSON
from infra.openapi import Document, build

_BOUNDS: Final = ("minLength", "maxLength", "maxProperties", "pattern", "default")
_PARTS: Final = {"propertyNames": "each name", "additionalProperties": "each value"}


def write(document: Document) -> str:
    """A section for each operation, and what all of them share."""
    components = document["components"]
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    parts = [
        "# Reference",
        "What [openapi.json](../openapi.json) says; `make openapi` writes both.",
        document["info"]["description"],
        *(
            part
            for route, operation in operations
            for part in _describe(route, operation, components)
        ),
        "## A failure",
        components["schemas"]["Problem"]["description"],
        *map(_code, components["schemas"]["Problem"]["examples"]),
        _table(("member", "", "accepts", "meaning"), _members(components["schemas"]["Problem"])),
        "## Headers of the answers",
        _table(
            ("header", "sent with", "meaning"),
            (
                (f"`{name}`", _statuses(name, [o for _, o in operations]), header["description"])
                for name, header in components["headers"].items()
            ),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _describe(route: str, operation: Document, components: Document) -> Iterator[str]:
    (body,) = operation["requestBody"]["content"].values()
    schema = components["schemas"][_name(body["schema"])]
    yield f"## {operation['summary']}: `{route}`"
    yield operation["description"]
    yield _code(body["example"])
    yield _table(("member", "", "accepts", "meaning"), _members(schema))
    headers = [
        (f"`Authorization: {scheme['scheme'].capitalize()} …`", "required", scheme["description"])
        for names in operation["security"]
        for scheme in (components["securitySchemes"][name] for name in names)
    ] + [
        (f"`{p['name']}`", _bounds(p["schema"]), p["description"])
        for p in (components["parameters"][_name(ref)] for ref in operation["parameters"])
    ]
    if headers:
        yield _table(("header", "", "meaning"), headers)
    (success, answer), *failures = operation["responses"].items()
    yield f"`{success}`: {answer['description']}"
    for content in answer.get("content", {}).values():
        yield _code(content["example"])
    yield _table(
        ("failure", "code", "what happened", "what to do"),
        (
            (status, f"`{p['code']}`", p["detail"], p["recoverySuggestion"])
            for status, failure in failures
            for p in (example["value"] for example in failure["content"][JSON]["examples"].values())
        ),
    )


def _members(schema: Document, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    for name, member in schema["properties"].items():
        required = "required" if name in schema.get("required", ()) else ""
        yield f"`{prefix}{name}`", required, _bounds(member), member.get("description", "")
        if "properties" in member:
            yield from _members(member, f"{prefix}{name}.")
        if "items" in member:
            yield from _members(member["items"], f"{prefix}{name}[].")


def _bounds(schema: Document) -> str:
    types = schema.get("type", [])
    parts = [types if isinstance(types, str) else " or ".join(types)]
    parts += [f"{bound} `{_plain(schema[bound])}`" for bound in _BOUNDS if bound in schema]
    parts += [f"{part}: {_bounds(schema[key])}" for key, part in _PARTS.items() if schema.get(key)]
    return ", ".join(filter(None, parts))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _statuses(header: str, operations: Iterable[Document]) -> str:
    answers = [answer for operation in operations for answer in operation["responses"].items()]
    having = sorted({status for status, answer in answers if header in answer["headers"]})
    return "all" if len(having) == len(dict(answers)) else ", ".join(having)


def _name(reference: Document) -> str:
    name: str = reference["$ref"].rpartition("/")[2]
    return name


def _code(example: Document) -> str:
    return f"```json\n{json.dumps(example, indent=2)}\n```"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(write(build()))
