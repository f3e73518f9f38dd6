"""One declaration drives everything: an operation is not done until all of this holds."""

from pathlib import Path

import pytest

from apidocs.checklist import find_missing
from functions.operations import FUNCTIONS, Operation
from tests.support import ROOT
from tests.support.contract import ids

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)


@each_operation
def test_an_operation_has_all_that_the_checklist_asks_for(operation: Operation) -> None:
    assert list(find_missing(operation, ROOT)) == []


@each_operation
def test_a_sentence_says_which_item_of_the_list_is_missing(
    operation: Operation, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("")

    *missing, section = find_missing(operation, tmp_path)

    name, route = operation.id, f"{operation.method} {operation.path}"
    files = [f"functions/{name}/__init__.py", f"functions/{name}/handler.py"]
    files += [f"events/{name}.json", f"tests/unit/test_{name}.py"]
    files += [f"events/{name}.*.json"] if operation.has_body else []
    assert [one.partition(" is missing: ")[0] for one in missing] == files
    assert section == f"README.md must have a section about `{route}`."


def test_each_folder_with_a_handler_is_an_operation() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    extra = folders - set(FUNCTIONS)

    assert not extra, f"Add a row to functions/operations.py for {extra}."


def test_no_two_operations_share_a_route() -> None:
    assert len({(operation.method, operation.path) for operation in Operation}) == len(Operation)
