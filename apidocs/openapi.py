"""The API as an OpenAPI document. Everything in it follows from a declaration."""

import json
import sys
import tomllib
from collections.abc import Iterable
from importlib import import_module
from itertools import groupby
from typing import Any, Final, get_type_hints

from apidocs import ROOT
from apidocs.checklist import declared_errors, find_missing
from apidocs.examples import RESPONSES
from apidocs.schemas import Schemas, refer, schema_of_type, schemas_of_body
from functions import problems
from functions.api.caller import MAX_IDEMPOTENCY_KEY
from functions.api.endpoint import Endpoint
from functions.operations import Operation
from functions.outcomes import COGNITO, OURS
from functions.problems import JSON, MAX_ERRORS, REQUEST_RULES, FieldError, Problem
from functions.protection.passwords import MIN_LENGTH, RULES
from functions.requests import Request
from infra.gateway_responses import GATEWAY_RESPONSES
from infra.settings import Deployment

type Document = dict[str, Any]

_REQUEST_ID: Final = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}

_DEFAULTS: Final = Deployment.of_stage("prod")
_PROBLEM_MEMBERS: Final = {
    "type": "What the problem is known by: switch on it, and translate by it.",
    "title": "The kind of problem.",
    "status": "As in HTTP.",
    "detail": "What happened.",
    "code": "The exception name of Cognito or Amplify, which several problems may share.",
    "message": "`detail` again, where Amplify looks for it.",
    "recoverySuggestion": "What to do now.",
    "requestId": "The ID by which an operator finds the request.",
}
_ERROR_MEMBERS: Final = {
    "pointer": _TEXT
    | {"description": "To the body or a member of it, as a URI fragment; or a header's name."},
    "rule": _TEXT
    | {
        "description": "JSON Schema's name of the rule, or one of this service. More may be added: "
        + ", ".join(f"`{name}`" for name in sorted({*REQUEST_RULES, *(one.name for one in RULES)}))
        + "."
    },
    "detail": _TEXT | {"description": "A sentence about it."},
    "params": refer("FieldErrorParams"),
}
_ERROR_PARAMS: Final = {
    "minimum": _NUMBER | {"description": "The least that is allowed."},
    "maximum": _NUMBER | {"description": "The most that is allowed."},
    "maximumName": _NUMBER | {"description": "The most characters that a name may have."},
    "size": _NUMBER | {"description": "How many earlier passwords are refused."},
    "part": _TEXT | {"description": "The part of a name that a refused password contains."},
}


def _problem() -> Document:
    """Return the schema of every failure, with an example that has all members.

    The other examples are the failures of requests that match no operation.
    """
    example = problems.PASSWORD_REFUSED.document(_REQUEST_ID, [MIN_LENGTH.error({"minimum": 15})])
    return {
        "description": (
            "RFC 9457, with the members that Amplify reads. Switch on `type`. A request that"
            f" matches no operation gets `{problems.NOT_FOUND.type}`"
            f" or `{problems.METHOD_NOT_ALLOWED.type}`."
        ),
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
                "description": (
                    "Everything that is wrong with the request or the new password, up to"
                    f" {MAX_ERRORS} entries."
                ),
                "type": "array",
                "maxItems": MAX_ERRORS,
                "items": refer("FieldError"),
            }
        },
        "examples": [
            example,
            *(
                problem.document(_REQUEST_ID)
                for problem in (problems.NOT_FOUND, problems.METHOD_NOT_ALLOWED)
            ),
        ],
    }


_SCHEMAS: Final[Schemas] = {
    "Problem": _problem(),
    "FieldError": {
        "description": "What is wrong with one member of the request.",
        "type": "object",
        "required": [name for name in FieldError._fields if name != "params"],
        "properties": {name: _ERROR_MEMBERS[name] for name in FieldError._fields},
    },
    "FieldErrorParams": {
        "description": "What the rule's sentence has in braces. More may be added.",
        "type": "object",
        "properties": _ERROR_PARAMS,
    },
}
_HEADERS: Final[Document] = {
    "Access-Control-Allow-Origin": {
        "description": "The caller's origin, if it is allowed; `*` in the gateway's own responses.",
        "schema": _TEXT,
    },
    "Access-Control-Expose-Headers": {
        "description": "The headers that scripts of an allowed origin may read.",
        "schema": _TEXT | {"const": problems.EXPOSED},
    },
    "Cache-Control": {
        "description": "Responses must not be cached.",
        "required": True,
        "schema": _TEXT | {"const": problems.HEADERS["Cache-Control"]},
    },
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": _NUMBER | {"minimum": 0},
    },
    "Vary": {
        "description": "The headers for scripts depend on the origin.",
        "schema": _TEXT | {"const": "Origin"},
    },
    "WWW-Authenticate": {
        "description": (
            "Which token is needed (RFC 6750 §3, RFC 9470 §3). Unless the gateway itself refused"
            " the token, it renames the header to `x-amzn-Remapped-WWW-Authenticate`."
        ),
        "schema": _TEXT,
    },
    "X-Content-Type-Options": {
        "description": "Browsers must not guess another media type.",
        "required": True,
        "schema": _TEXT | {"const": problems.HEADERS["X-Content-Type-Options"]},
    },
    "x-amzn-errortype": {
        "description": "The `code`. The gateway's own responses have the gateway's own names.",
        "schema": _TEXT,
    },
}
_COMMON: Final = sorted(
    {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary", *problems.HEADERS}
)
"""The headers of every response. Those for scripts depend on `allowedOrigins`."""


def build() -> Document:
    """Return the whole document, or exit with a sentence about what an operation lacks."""
    for operation in Operation:
        for sentence in find_missing(operation, ROOT):
            sys.exit(sentence)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Password service",
            "version": project["version"],
            "summary": project["description"],
            "description": (
                "The inputs, outputs and error names are those of the Amplify JS functions. Every"
                " failure is a problem document"
                " ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): `type` says which problem"
                " it is, and `recoverySuggestion` what to do."
            ),
            "contact": {"name": "The operator of your deployment"},
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
            "schemas": _schemas(),
            "headers": _HEADERS,
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": (
                        "Chosen by the client for each request, and sent again when that request is"
                        " retried, so that it is carried out only once."
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
                    "description": "An access token of the user pool. ID tokens are refused.",
                }
            },
        },
    }


def handler_of(operation: Operation) -> Endpoint[Request]:
    """Return the operation's handler, or exit with a sentence about what it lacks."""
    try:
        module = import_module(f"functions.{operation.id}.handler")
    except ImportError as error:
        sys.exit(f"functions/{operation.id}/handler.py cannot be imported: {error}.")
    endpoint: Endpoint[Request] = module.build(_DEFAULTS)
    return endpoint


def possible_problems(operation: Operation) -> list[Problem]:
    """Return every failure that a caller of the operation can meet, whatever the settings."""
    handler, errors = handler_of(operation), declared_errors(operation)
    found = {
        *(field.empty for field in handler.request_type.fields.values() if field.empty),
        *(one.problem for one in COGNITO if not one.text and one.cause in errors),
        *GATEWAY_RESPONSES.values(),
        problems.SERVICE_UNAVAILABLE,
    } - {problems.NOT_FOUND}
    if operation.about_user:
        found |= {problems.ACCOUNT_NOT_ALLOWED}
    if operation.attempts_per_hour:
        found |= {problems.ATTEMPTS_EXCEEDED}
        found |= set() if operation.signed_in else {problems.NETWORK_ATTEMPTS_EXCEEDED}
    if handler.hidden_answer:
        found |= {handler.hidden_answer}
    if operation.changes_password:
        found |= {problems.PASSWORD_REFUSED}
    if operation.repeatable:
        found |= {problems.REQUEST_IN_PROGRESS}
    if operation.signed_in:
        found |= {one.problem for one in COGNITO if one.text}
        found |= {one.problem for one in OURS if one.problem.challenge}
    else:
        found -= {problems.NOT_SIGNED_IN}
    return sorted(found, key=lambda problem: (problem.status, problem.slug))


def _describe_operation(operation: Operation) -> Document:
    handler = handler_of(operation)
    parameters = [{"$ref": "#/components/parameters/IdempotencyKey"}]
    return {
        "operationId": operation.id,
        "tags": ["passwords"],
        "summary": operation.id.replace("_", " ").capitalize(),
        "description": f"{(import_module(handler.request_type.__module__).__doc__ or '').strip()}"
        f"\n\n{_describe_limits(operation)}",
        "security": [{"accessToken": []}] if operation.signed_in else [],
        "parameters": parameters if operation.repeatable else [],
        "responses": _success(operation) | _failures(operation),
    } | ({"requestBody": _body(operation)} if operation.has_body else {})


def _describe_limits(operation: Operation) -> str:
    throttle = f"All callers together may send {operation.requests_per_second} requests a second."
    if not operation.attempts_per_hour:
        return throttle
    attempts = f"A user has {operation.attempts_per_hour} attempts an hour"
    if not operation.signed_in:
        attempts += (
            f" from one IP address. An IP address has {_DEFAULTS.attempts_per_address} for all"
            f" users together, and an IPv6 /{_DEFAULTS.ipv6_network_prefix} has"
            f" {_DEFAULTS.attempts_per_network}"
        )
    return f"{throttle} {attempts}. The operator can change these numbers."


def _body(operation: Operation) -> Document:
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": refer(f"{operation.type_name}Input"),
                "example": _example(operation),
            }
        },
    }


def _example(operation: Operation) -> Document:
    event = json.loads((ROOT / "events" / f"{operation.id}.json").read_text())
    example: Document = json.loads(event["body"].replace("{{code}}", "482916"))
    return example


def _success(operation: Operation) -> Document:
    response: Document = {
        "description": operation.success,
        "headers": _refer_to_headers(_COMMON),
    }
    if operation.max_age:
        response["headers"]["Cache-Control"] = {
            "description": "Anyone may keep the response for so many seconds.",
            "required": True,
            "schema": _TEXT | {"const": f"public, max-age={operation.max_age}"},
        }
    if _output_of(operation):
        schema = refer(f"{operation.type_name}Output")
        example = RESPONSES.get(operation) or sys.exit(
            f"apidocs/examples.py must have a response of {operation.id}."
        )
        response["content"] = {"application/json": {"schema": schema, "example": example}}
    return {str(operation.status): response}


def _output_of(operation: Operation) -> type | None:
    """Return the type of the response's body, or None if it has none."""
    output = get_type_hints(handler_of(operation).operate)["return"]
    return None if output is type(None) else output


def _schemas() -> Schemas:
    """Return the schemas of every request and response, by name."""
    named: Schemas = {}
    for operation in Operation:
        if operation.has_body:
            named |= schemas_of_body(handler_of(operation).request_type)
        if output := _output_of(operation):
            schema_of_type(output, named)
    return named | _SCHEMAS


def _failures(operation: Operation) -> Document:
    return {
        str(status): _failure(list(same))
        for status, same in groupby(possible_problems(operation), key=lambda p: p.status)
    }


def _failure(same: list[Problem]) -> Document:
    special = {name for problem in same for name in problem.headers} - {"Content-Type"}
    return {
        "description": "; ".join(dict.fromkeys(problem.title for problem in same)),
        "headers": _refer_to_headers(sorted({*_COMMON, "x-amzn-errortype", *special})),
        "content": {
            JSON: {
                # One schema for all. If it listed the problems of this status, generated clients
                # would fail at one that is added later, and would have 60 classes of errors.
                "schema": refer("Problem"),
                "examples": {
                    problem.slug: {
                        "summary": problem.title,
                        "value": problem.document(_REQUEST_ID),
                    }
                    for problem in same
                },
            }
        },
    }


def _refer_to_headers(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
