"""`make invoke`: run one handler in this process, with an event of API Gateway, SQS or Cognito."""

import io
import json
import os
import sys
import uuid
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from functions.api.caller import read_claims
from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, WORKER, handler_name
from functions.settings import Runtime, names_read_by
from local import emulator
from local.deployment import local_stack
from local.processes import ROOT
from local.stack import Stack

CODE: Final = "{{code}}"
ACCESS_TOKEN: Final = "{{accessToken}}"  # noqa: S105 - a placeholder
REVOKED_ACCESS_TOKEN: Final = "{{revokedAccessToken}}"  # noqa: S105 - a placeholder
"""Placeholders in the sample events, for values from the live user pool or the clock."""


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context that the handlers and Powertools read."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return more than any request takes."""
        return 30_000


def invoke(name: str, path: Path | None, port: int | None) -> None:
    """Invoke a function's handler and print the answer, the log lines and the metrics."""
    if name not in FUNCTIONS:
        sys.exit(f"Say which operation: OPERATION={'|'.join(FUNCTIONS)}.")
    sample = "worker_send_code" if name == WORKER else name
    text = _read(path or ROOT / "events" / f"{sample}.json", name)
    stack = Stack.running(port)
    if stack:
        _invoke(name, text, stack)
        return
    if port:
        sys.exit(f"No local stack is running on port {port}: start it with make run PORT={port}.")
    with local_stack(emulator.free_port(), say=lambda line: print(line, file=sys.stderr)) as stack:
        _invoke(name, text, stack)


def _read(path: Path, name: str) -> str:
    try:
        text = path.read_text()
        event = json.loads(text)
    except OSError as error:
        sys.exit(f"The event {path} cannot be read: {error.strerror}.")
    except ValueError as error:
        sys.exit(f"The event {path} is not valid JSON: {error}.")
    member = {WORKER: "Records", CUSTOM_MESSAGE: "request"}.get(name, "requestContext")
    if not isinstance(event, dict) or not isinstance(event.get(member), list | dict):
        expected = "list" if name == WORKER else "object"
        sys.exit(f"The event {path} has no {expected} {member}: start from one in events/.")
    return text


def _invoke(name: str, text: str, stack: Stack) -> None:
    event = _fill(text, stack)
    function = _function(stack, handler_name(name))
    emulator.isolate(stack.endpoint, stack.key)
    os.environ.update(function["Environment"]["Variables"])
    context = Context(function["FunctionName"], function["MemorySize"], function["FunctionArn"])
    with redirect_stdout(io.StringIO()) as printed:
        # Imported late, because Powertools reads its settings and output stream at import.
        settings = Runtime.read(os.environ, names_read_by(name))
        handler = import_module(f"functions.{name}.handler").build(settings)
        answer = handler(event, context)
    if "{{" in text:
        stack.create(stack.demo_user)
    _print_answer(answer)
    _print_records(printed.getvalue())


def _function(stack: Stack, handler: str) -> dict[str, Any]:
    pages = stack.client("lambda").get_paginator("list_functions").paginate()
    functions = [function for page in pages for function in page["Functions"]]
    return next(function for function in functions if function["Handler"] == handler)


def _fill(text: str, stack: Stack) -> dict[str, Any]:
    """Return the event with its placeholders filled in for the demo user."""
    claims: dict[str, str] = {}
    if "{{" in text:
        # An earlier invocation, or the user, may have changed the password.
        stack.create(stack.demo_user)
    if CODE in text:
        text = text.replace(CODE, stack.request_code(stack.demo_user.username))
    for placeholder in (ACCESS_TOKEN, REVOKED_ACCESS_TOKEN):
        if placeholder in text:
            token = stack.sign_in(stack.demo_user)["AccessToken"]
            if placeholder == REVOKED_ACCESS_TOKEN:
                stack.client("cognito-idp").global_sign_out(AccessToken=token)
            text = text.replace(placeholder, token)
            # The gateway's authorizer reports every claim as text.
            claims = {name: str(value) for name, value in read_claims(token).items()}
    event: dict[str, Any] = json.loads(text)
    if claims:
        event["requestContext"]["authorizer"] = {"claims": claims}
    return event


def _print_answer(answer: dict[str, Any]) -> None:
    if "statusCode" not in answer:
        print(f"Answer\n\n{json.dumps(answer, indent=2)}")
        return
    print(f"Answer\n\n{answer['statusCode']}")
    for name, value in answer["headers"].items():
        print(f"{name}: {value}")
    if answer["body"]:
        print(f"\n{json.dumps(json.loads(answer['body']), indent=2, ensure_ascii=False)}")


def _print_records(printed: str) -> None:
    """Powertools prints both kinds as JSON lines; CloudWatch knows the metrics by `_aws`."""
    records = [json.loads(line) for line in printed.splitlines()]
    print("\nLog")
    for record in records:
        if "_aws" not in record:
            print(f"\n{json.dumps(record, indent=2, ensure_ascii=False)}")
    print("\nMetrics\n")
    for record in records:
        for group in record.get("_aws", {}).get("CloudWatchMetrics", ()):
            dimensions = [
                f"{name}={record[name]}" for names in group["Dimensions"] for name in names
            ]
            for metric in group["Metrics"]:
                values = ", ".join(f"{value:g}" for value in record[metric["Name"]])
                print(group["Namespace"], *dimensions, f"{metric['Name']}={values}", metric["Unit"])
