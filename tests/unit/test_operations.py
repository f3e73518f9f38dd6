"""One declaration drives everything: a new operation is not done until all of this holds."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import botocore.session
import pytest

from functions.operations import Operation
from tests.support.contract import ids

ROOT = Path(__file__).parents[2]
COGNITO_QUOTA = 30  # calls a second for each account and region, over all user pools

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)


def test_each_folder_is_an_operation_and_each_operation_a_folder() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}

    assert folders == {operation.id for operation in Operation}


@each_operation
def test_an_operation_has_a_handler_by_its_name(operation: Operation) -> None:
    assert callable(import_module(f"functions.{operation.id}.handler").handler)


@each_operation
def test_an_operation_has_tests_by_its_name(operation: Operation) -> None:
    assert (ROOT / f"tests/unit/test_{operation.id}.py").is_file()


@each_operation
def test_an_operation_has_events_for_its_route(operation: Operation) -> None:
    files = [
        ROOT / f"events/{operation.id}.json",
        *(ROOT / "events").glob(f"{operation.id}.*.json"),
    ]

    routes = {(e["httpMethod"], e["path"]) for e in (json.loads(f.read_text()) for f in files)}

    assert len(files) > 1
    assert routes == {(operation.method, operation.path)}


@each_operation
def test_an_operation_stands_in_the_readme(operation: Operation) -> None:
    assert f"`{operation.method} {operation.path}`" in (ROOT / "README.md").read_text()


@each_operation
def test_an_operation_calls_what_cognito_has(operation: Operation) -> None:
    model = botocore.session.get_session().get_service_model("cognito-idp")

    assert set(operation.calls) <= set(model.operation_names)


def test_no_two_operations_share_a_route() -> None:
    assert len({(operation.method, operation.path) for operation in Operation}) == len(Operation)


def test_the_limits_leave_room_below_cognitos_quota() -> None:
    assert sum(operation.requests_per_second for operation in Operation) < COGNITO_QUOTA


@each_operation
def test_a_handler_is_imported_without_any_environment(operation: Operation) -> None:
    code = f"import functions.{operation.id}.handler"

    subprocess.run([sys.executable, "-c", code], env={}, cwd=ROOT, check=True)


def test_the_declaration_needs_the_standard_library_alone() -> None:
    code = "import functions.operations, functions.problems, functions.settings"

    subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append('.'); {code}"],
        cwd=ROOT,
        check=True,
    )
