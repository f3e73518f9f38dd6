"""The JSON Schema (2020-12) of a request's body, from its fields, and of a response's type."""

import inspect
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
type Schemas = dict[str, Schema]
"""Named schemas. Where they are inline, generators invent names that no one can read."""


def refer(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas_of_body(request: type[Request]) -> Schemas:
    """Return the schema of the bodies that a request accepts, and those that it refers to.

    Fields have the docstrings of their kinds. No field has a `default`, because some generators
    then require it.
    """
    name = request.operation.type_name
    properties: dict[str, Schemas] = {BODY: {}, OPTIONS: {}}
    named: Schemas = {}
    for (group, field_name), field in request.fields.items():
        schema = {"description": inspect.getdoc(type(field))} | _schema_of_field(field)
        if isinstance(field, ClientMetadata):
            named["ClientMetadata"] = schema
            schema = _or_null("ClientMetadata")
        properties[group][field_name] = schema
    return named | {
        f"{name}Input": {
            "description": inspect.getdoc(request),
            "type": "object",
            "additionalProperties": False,
            "required": [
                field.name
                for field in request.fields.values()
                if field.empty and not field.may_be_absent
            ],
            "properties": properties[BODY] | {"options": _or_null(f"{name}Options")},
        },
        f"{name}Options": {
            "description": "The options. Each may be left out.",
            "type": "object",
            "additionalProperties": False,
            "properties": properties[OPTIONS],
        },
    }


def _or_null(name: str) -> Schema:
    return {"anyOf": [refer(name), {"type": "null"}]}


def _schema_of_field(field: Field[Any]) -> Schema:
    """Return the schema of the values that a field accepts."""
    text = {"pattern": f"^[^{CONTROLS}]*$"}
    any_text = {"type": "string", "minLength": 1, "maxLength": getattr(field, "max_length", 0)}
    match field:
        case Username() | ConfirmationCode():
            # A character must remain. The service also refuses unpaired surrogates in every text.
            # It begins at the beginning, because many generated clients only match there.
            return any_text | {"pattern": rf"^[\s\S]*[^{_characters(INVISIBLE)}]"}
        case NewPassword():
            refused = "".join([field.refused, *field.unrepeatable.values()])
            return any_text | {"pattern": f"^[^{refused}]*$"}
        case Text():
            return any_text
        case Flag():
            return {"type": ["boolean", "null"]}
        case ClientMetadata():
            return {
                "type": "object",
                "maxProperties": field.max_properties,
                "propertyNames": text | {"maxLength": field.max_name},
                "additionalProperties": text | {"type": "string", "maxLength": field.max_value},
            }
    raise TypeError(field)


@cache
def _characters(categories: tuple[str, ...]) -> str:
    """Return the characters of the categories up to U+FFFF as ranges of a regular expression.

    JSON Schema and Python share no escape for those above, and a program that takes UTF-16 for its
    characters would read a range of them as another one. The service refuses them itself.
    """
    found = [n for n in range(0x10000) if unicodedata.category(chr(n)) in categories]
    first = [n for n in found if n - 1 not in found]
    last = [n for n in found if n + 1 not in found]
    # Escaped, because generators copy a pattern into a program, which has no control characters.
    return "".join(rf"\u{a:04x}-\u{b:04x}" for a, b in zip(first, last, strict=True))


def schema_of_type(kind: Any, named: Schemas) -> Schema:  # noqa: ANN401 - any type of a response
    """Return the schema of a type that a handler returns, and name each object in it."""
    if get_origin(kind) is NotRequired:
        return schema_of_type(get_args(kind)[0], named)
    if get_origin(kind) is Annotated:
        base, further = get_args(kind)
        return {**schema_of_type(base, named), **further}
    if get_origin(kind) is list:
        return {"type": "array", "items": schema_of_type(get_args(kind)[0], named)}
    if get_origin(kind) is Literal:
        return {"type": "string", "enum": list(get_args(kind))}
    if is_typeddict(kind):
        members = get_type_hints(kind, include_extras=True)
        required = [name for name in members if name in kind.__required_keys__]
        named[kind.__name__] = {
            "type": "object",
            "description": inspect.getdoc(kind),
            "properties": {name: schema_of_type(one, named) for name, one in members.items()},
        } | ({"required": required} if required else {})
        return refer(kind.__name__)
    return {"type": {str: "string", bool: "boolean", int: "integer"}[kind]}
