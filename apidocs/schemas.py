"""The JSON Schema (2020-12) of a request's body, from its fields, and of a response's type."""

import inspect
import sys
import unicodedata
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from functions.fields import (
    BODY,
    CONTROLS,
    INVISIBLE,
    OPTIONS,
    ClientMetadata,
    ConfirmationCode,
    Field,
    Flag,
    NewPassword,
    Text,
    Username,
)
from functions.requests import Request

type Schema = dict[str, Any]


def schema_of_body(request: type[Request]) -> Schema:
    """Return the schema of the bodies that a request accepts, with the docstrings of its fields."""
    properties: dict[str, dict[str, Schema]] = {BODY: {}, OPTIONS: {}}
    for (group, name), field in request.fields.items():
        description = {"description": inspect.getdoc(type(field))}
        properties[group][name] = _schema_of_field(field) | description
    options = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": properties[OPTIONS],
    }
    return {
        "description": inspect.getdoc(request),
        "type": "object",
        "additionalProperties": False,
        "required": [
            field.name
            for field in request.fields.values()
            if field.empty and not field.may_be_absent
        ],
        "properties": properties[BODY] | {"options": options},
    }


def _schema_of_field(field: Field[Any]) -> Schema:
    """Return the schema of the values that a field accepts."""
    text = {"pattern": f"^[^{CONTROLS}]*$"}
    any_text = {"type": "string", "minLength": 1, "maxLength": getattr(field, "max_length", 0)}
    match field:
        case Username() | ConfirmationCode():
            # A character must remain. The service also refuses unpaired surrogates in every text.
            return any_text | {"pattern": f"[^{_characters(INVISIBLE)}]"}
        case NewPassword():
            refused = "".join([field.refused, *field.unrepeatable.values()])
            return any_text | {"pattern": f"^[^{refused}]*$"}
        case Text():
            return any_text
        case Flag():
            return {"type": ["boolean", "null"], "default": field.default}
        case ClientMetadata():
            return {
                "type": ["object", "null"],
                "maxProperties": field.max_properties,
                "propertyNames": text | {"maxLength": field.max_name},
                "additionalProperties": text | {"type": "string", "maxLength": field.max_value},
            }
    raise TypeError(field)


@cache
def _characters(categories: tuple[str, ...]) -> str:
    """Return the characters of the categories as ranges of a regular expression."""
    found = [n for n in range(sys.maxunicode) if unicodedata.category(chr(n)) in categories]
    first = [n for n in found if n - 1 not in found]
    last = [n for n in found if n + 1 not in found]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(first, last, strict=True))


def schema_of_type(kind: Any) -> Schema:  # noqa: ANN401 - any type of a response
    """Return the schema of a type that a handler returns."""
    if get_origin(kind) is NotRequired:
        return schema_of_type(*get_args(kind))
    if get_origin(kind) is Annotated:
        base, narrower = get_args(kind)
        return {**schema_of_type(base), **narrower}
    if get_origin(kind) is list:
        return {"type": "array", "items": schema_of_type(*get_args(kind))}
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    if is_typeddict(kind):
        members = get_type_hints(kind, include_extras=True)
        schema: Schema = {
            "type": "object",
            "description": inspect.getdoc(kind),
            "properties": {name: schema_of_type(member) for name, member in members.items()},
        }
        required = [name for name in members if name in kind.__required_keys__]
        return schema | ({"required": required} if required else {})
    return {"type": {str: "string", bool: "boolean", int: "integer"}[kind]}
