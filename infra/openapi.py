"""The API as an OpenAPI document, derived from what declares it: `make openapi`."""

import inspect
import json
import sys
import tomllib
from collections.abc import Iterable
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from functions import problems
from functions.confirm_reset_password.handler import ConfirmResetPassword
from functions.endpoint import MAX_IDEMPOTENCY_KEY
from functions.fields import BODY, Caller, Request
from functions.limits import ATTEMPTS_PER_ADDRESS
from functions.operations import Operation
from functions.problems import COGNITO, GATEWAY, JSON, Failure, FieldError, Problem
from functions.reset_password.handler import ResetPassword, simulate
from infra.cognito import service_model

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "openapi.json"

type Document = dict[str, Any]

_REQUEST_ID: Final = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
_TEXT: Final = {"type": "string"}

_RESET_OUTPUT: Final[Document] = {
    "type": "object",
    "required": ["isPasswordReset", "nextStep"],
    "properties": {
        "isPasswordReset": {"type": "boolean"},
        "nextStep": {
            "type": "object",
            "required": ["resetPasswordStep"],
            "properties": {
                "resetPasswordStep": {"enum": ["CONFIRM_RESET_PASSWORD_WITH_CODE", "DONE"]},
                "codeDeliveryDetails": {
                    "description": "Left out if the user name does not tell where a code goes.",
                    "type": "object",
                    "properties": {
                        "destination": _TEXT,
                        "deliveryMedium": _TEXT,
                        "attributeName": _TEXT,
                    },
                },
            },
        },
    },
}
"""Amplify's `ResetPasswordOutput`, which the handler builds and no type declares."""

_PROBLEM_MEMBERS: Final = {
    "type": "`urn:password-service:` and the code.",
    "title": "The kind of failure.",
    "status": "As in HTTP.",
    "detail": "What happened.",
    "code": "The exception's name, which is Cognito's or Amplify's wherever they have one.",
    "message": "`detail` again, where Amplify looks for it.",
    "recoverySuggestion": "What to do.",
    "requestId": "What the operator finds the request by.",
}
_ERROR_MEMBERS: Final = {
    "pointer": "To the body or a member of it, as a URI fragment; or a header's name.",
    "rule": (
        "As JSON Schema names it; else `json` or `uniqueNames`, or of a password"
        " `requireLowercase`, `requireUppercase`, `requireNumbers`, `requireSymbols`, `edgeSpace`,"
        " `containsUsername`, `sameAsOld` or `breached`."
    ),
    "detail": "A sentence about it.",
}


def _problem() -> Document:
    """The schema of every failure, with one that has all members."""
    example = _refuse_empty()
    return {
        "description": "RFC 9457, with the members that Amplify reads. Switch on `code`.",
        "type": "object",
        "required": [name for name in example if name != "errors"],
        "properties": {
            name: {
                "type": "integer" if isinstance(value, int) else "string",
                "description": _PROBLEM_MEMBERS[name],
            }
            for name, value in example.items()
            if name != "errors"
        }
        | {
            "errors": {
                "description": "Everything that is wrong with the request or the new password.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": list(FieldError._fields),
                    "properties": {
                        name: _TEXT | {"description": _ERROR_MEMBERS[name]}
                        for name in FieldError._fields
                    },
                },
            }
        },
        "examples": [example],
    }


def _refuse_empty() -> Document:
    """The answer to an empty body."""
    refused: Failure
    try:
        ConfirmResetPassword({}, Caller())
    except Failure as failure:
        refused = failure
    return refused.problem.document(_REQUEST_ID, refused.errors)


_HEADERS: Final[Document] = {
    "Access-Control-Allow-Origin": {
        "description": "The caller's origin if it is an allowed one; the gateway says `*`.",
        "schema": _TEXT,
    },
    "Access-Control-Expose-Headers": {
        "description": "What a script may read, if its origin is allowed.",
        "schema": {"const": "Retry-After"},
    },
    "Cache-Control": {
        "description": "Nothing may keep an answer.",
        "required": True,
        "schema": {"const": "no-store"},
    },
    "Retry-After": {
        "description": "Seconds until another attempt is worth it.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "Vary": {
        "description": "The headers for scripts depend on the origin.",
        "schema": {"const": "Origin"},
    },
    "WWW-Authenticate": {
        "description": (
            "The gateway refused the token. If Cognito did, API Gateway renames the header to"
            " `x-amzn-Remapped-WWW-Authenticate`."
        ),
        "schema": {"const": "Bearer"},
    },
    "X-Content-Type-Options": {
        "description": "The media type is the one that is named.",
        "schema": {"const": "nosniff"},
    },
    "x-amzn-errortype": {
        "description": "`code`, unless the gateway answered: then a name of its own.",
        "schema": _TEXT,
    },
}
_COMMON: Final = (
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Cache-Control",
    "Vary",
    "X-Content-Type-Options",
)
"""Of the functions' successes and failures alike."""


def build() -> Document:
    """The whole document; every part of it follows from a declaration elsewhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Password service",
            "version": project["version"],
            "summary": project["description"],
            "description": _describe(),
            "license": {"name": project["license"], "identifier": project["license"]},
        },
        "servers": [
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
                "description": "The output `ApiUrl` of a deployed stack",
                "variables": {"api": {"default": "a1b2c3d4e5"}, "region": {"default": "us-east-1"}},
            }
        ],
        "tags": [{"name": "passwords", "description": "The operations of Amplify's Auth category"}],
        "paths": {
            operation.path: {operation.method.lower(): _describe_operation(operation)}
            for operation in Operation
        },
        "components": {
            "schemas": {
                **{_input(operation): _request(operation) for operation in Operation},
                "ResetPasswordOutput": _RESET_OUTPUT,
                "Problem": _problem(),
            },
            "headers": _HEADERS,
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": (
                        "Chosen by the client, anew for each request, and sent again when that"
                        " request is repeated: the password is changed once."
                    ),
                    "schema": {"type": "string", "maxLength": MAX_IDEMPOTENCY_KEY},
                    "example": "5f0f4c3e-6c1b-4f0e-9a38-2d7c5b8e1f60",
                }
            },
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token of the user pool; an ID token is refused.",
                }
            },
        },
    }


def request_type(operation: Operation) -> type[Request]:
    """The one subclass of `Request` in an operation's handler."""
    module = import_module(f"functions.{operation.id}.handler")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Request) and value is not Request
    )
    return found


def possible_problems(operation: Operation) -> list[Problem]:
    """Every failure that a caller of the operation can meet, whatever the settings."""
    found = {
        *(field.empty for field in request_type(operation).fields.values() if field.empty),
        *(COGNITO[name] for name in _declared_errors(operation) if name in COGNITO),
        *GATEWAY.values(),
        problems.BAD_GATEWAY,
        problems.NOT_ALLOWED,
    } - {problems.NOT_FOUND}
    if problems.CODE_MISMATCH in found:
        found |= {problems.CODE_REFUSED}
    if operation.changes_password:
        found |= {problems.IN_PROGRESS, problems.INVALID_PASSWORD}
    if operation.signed_in:
        found |= {problems.TOO_MANY_FAILED_ATTEMPTS, problems.WRONG_PASSWORD}
    else:
        found -= {problems.NOT_SIGNED_IN}
    return sorted(found, key=lambda problem: (problem.status, problem.code, problem.title))


def _describe() -> str:
    limits = "\n".join(
        f"| `{operation.path}` | {operation.requests_per_second} | {operation.attempts_per_hour} |"
        for operation in Operation
    )
    elsewhere = "\n\n".join(
        f"```json\n{json.dumps(problem.document(_REQUEST_ID), indent=2)}\n```"
        for problem in (problems.NOT_FOUND, problems.METHOD_NOT_ALLOWED)
    )
    return f"""\
Resets, confirms and updates passwords of an Amazon Cognito user pool, with the inputs, outputs and
error names of the Amplify JS functions. Every failure is a problem document (RFC 9457).

| operation | requests a second, of all callers | attempts an hour, for one user |
|---|---|---|
{limits}

Without an access token, a user's attempts are counted for each address, which has
{ATTEMPTS_PER_ADDRESS} attempts an hour at an operation, for all users together. While user
existence is hidden, which is the default, the answer does not depend on the account there.

What reaches no operation fails too:

{elsewhere}"""


def _describe_operation(operation: Operation) -> Document:
    request = request_type(operation)
    parameters = [{"$ref": "#/components/parameters/IdempotencyKey"}]
    return {
        "operationId": operation.id,
        "tags": ["passwords"],
        "summary": operation.id.replace("_", " ").capitalize(),
        "description": (import_module(request.__module__).__doc__ or "").strip(),
        "security": [{"accessToken": []}] if operation.signed_in else [],
        "parameters": parameters if operation.changes_password else [],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"#/components/schemas/{_input(operation)}"},
                    "example": _example(operation),
                }
            },
        },
        "responses": _success(operation) | _failures(operation),
    }


def _example(operation: Operation) -> Document:
    event = json.loads((ROOT / "events" / f"{operation.id}.json").read_text())
    example: Document = json.loads(event["body"].replace("{{code}}", "482916"))
    return example


def _request(operation: Operation) -> Document:
    """The schema of the body, with what the declarations say about themselves."""
    request = request_type(operation)
    schema = request.schema()
    options = schema["properties"]["options"]["properties"]
    for (group, name), field in request.fields.items():
        member = (schema["properties"] if group == BODY else options)[name]
        member["description"] = inspect.getdoc(type(field))
    return {"description": inspect.getdoc(request)} | schema


def _success(operation: Operation) -> Document:
    headers = _refer_to_headers(_COMMON)
    if operation.changes_password:
        return {"204": {"description": "The password is changed.", "headers": headers}}
    schema = {"$ref": "#/components/schemas/ResetPasswordOutput"}
    example = simulate(ResetPassword(_example(operation), Caller()))
    content = {"application/json": {"schema": schema, "example": example}}
    description = "If there is such a user, a code is on its way."
    return {"200": {"description": description, "headers": headers, "content": content}}


def _failures(operation: Operation) -> Document:
    return {
        str(status): _failure(list(same))
        for status, same in groupby(possible_problems(operation), key=lambda p: p.status)
    }


def _failure(same: list[Problem]) -> Document:
    special = {name for problem in same for name in problem.headers} - {"Content-Type"}
    codes = list(dict.fromkeys(problem.code for problem in same))
    return {
        "description": "; ".join(dict.fromkeys(problem.title for problem in same)),
        "headers": _refer_to_headers(sorted({*_COMMON, "x-amzn-errortype", *special})),
        "content": {
            JSON: {
                "schema": {
                    "$ref": "#/components/schemas/Problem",
                    "properties": {"status": {"const": same[0].status}, "code": {"enum": codes}},
                },
                "examples": {
                    f"{problem.code}{number or ''}": {
                        "summary": problem.title,
                        "value": problem.document(_REQUEST_ID),
                    }
                    for _, alike in groupby(same, key=lambda p: p.code)
                    for number, problem in enumerate(alike)
                },
            }
        },
    }


def _refer_to_headers(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _input(operation: Operation) -> str:
    return f"{request_type(operation).__name__}Input"


def _declared_errors(operation: Operation) -> list[str]:
    action, *_ = operation.calls
    return [shape.name for shape in service_model().operation_model(action).error_shapes]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(build(), indent=2, ensure_ascii=False) + "\n")
