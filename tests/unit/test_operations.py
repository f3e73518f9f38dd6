"""One declaration drives everything: an operation is not done until all of this holds."""

import pytest

from apidocs.checklist import find_missing
from functions.operations import FUNCTIONS, Operation
from tests.support import ROOT
from tests.support.contract import ids

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)


@each_operation
def test_an_operation_has_all_that_the_checklist_asks_for(operation: Operation) -> None:
    assert list(find_missing(operation, ROOT)) == []


def test_each_folder_with_a_handler_is_an_operation() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    extra = folders - set(FUNCTIONS)

    assert not extra, f"Add a row to functions/operations.py for {extra}."
