"""Check that an operation has everything that CONTRIBUTING lists."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
from botocore.model import ServiceModel

from functions.aws.actions import ACTIONS
from functions.operations import Operation
from functions.outcomes import COGNITO


def find_missing(operation: Operation, root: Path) -> Iterator[str]:
    """Yield a sentence for each missing part of an operation."""
    name, action = operation.id, operation.action
    if action not in cognito().operation_names:
        yield f"Cognito has no action {action}: correct the row in functions/operations.py."
        return
    needed = {
        f"functions/{name}/__init__.py": "make the folder a package",
        f"functions/{name}/handler.py": f"write what {name} does",
        f"functions/{name}/lambda_function.py": "write the lines that Lambda loads",
        f"events/{name}.json": "add an event that succeeds",
        f"tests/unit/test_{name}.py": f"test what {name} does",
    }
    if operation.has_body:  # without a body, no request can be invalid
        needed[f"events/{name}.*.json"] = "add an event that fails"
    for file, advice in needed.items():
        if not list(root.glob(file)):
            yield f"{file} is missing: {advice}."
    yield from _find_missing_rows(operation)
    for path in root.glob(f"events/{name}.*json"):
        event = json.loads(path.read_text())
        if (event["httpMethod"], event["path"]) != (operation.method, operation.path):
            yield f"events/{path.name} must be for {operation.method} {operation.path}."
    if f"`{operation.method} {operation.path}`" not in (root / "README.md").read_text():
        yield f"README.md must have a section about `{operation.method} {operation.path}`."


def _find_missing_rows(operation: Operation) -> Iterator[str]:
    for action in (operation.action, *operation.other_actions):
        if action not in ACTIONS:
            yield f"functions/aws/actions.py has no row for {action}: add one."
    for error in declared_errors(operation):
        if error not in {one.cause for one in COGNITO}:
            yield f"{operation.action} can fail with {error}: add a row to functions/outcomes.py."


def declared_errors(operation: Operation) -> list[str]:
    """Return the names of the errors that botocore knows of the operation's action."""
    return [shape.name for shape in cognito().operation_model(operation.action).error_shapes]


@cache
def cognito() -> ServiceModel:
    """Return botocore's model of Cognito."""
    return botocore.session.get_session().get_service_model("cognito-idp")
