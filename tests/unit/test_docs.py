"""The files, make targets and tests that the documents name exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from functions.operations import Operation
from tests.support import ROOT
from tests.support.invocation import REQUEST_ID, SETTINGS
from tests.unit.conftest import Invoke
from verification import figures, unknowns
from verification.commands import CHECKS

CITATION = r"`(tests/[\w/]+\.py)::(\w+)`"
DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_names_only_files_and_targets_that_exist(document: Path) -> None:
    text = document.read_text()
    makefile = (ROOT / "Makefile").read_text()

    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    targets = re.findall(r"^make (?:-\S+ )*([a-z]+)|`make ([a-z]+)", text, re.MULTILINE)

    assert [link for link in links if not (document.parent / link).exists()] == []
    assert [t for t in map("".join, targets) if f"\n{t}:" not in makefile] == []


@cache
def defined_in(file: Path) -> set[str]:
    """The names of the tests that a file has, without its helpers."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return {n.name for n in nodes if isinstance(n, ast.FunctionDef) and n.name[:5] == "test_"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_test_that_a_document_cites_exists(document: Path) -> None:
    text = document.read_text()
    cited = re.findall(CITATION, text)

    missing = [f"{file}::{test}" for file, test in cited if test not in defined_in(ROOT / file)]

    assert missing == []
    assert text.count(".py::") == len(cited)


def test_what_make_verify_sees_is_listed_by_the_names_of_its_checks() -> None:
    text = (ROOT / "docs/not-tested.md").read_text()
    table = text.partition("## What it cannot see")[0]
    cells = [row.split("|")[3] for row in re.findall(r"^\| .* \|$", table, re.MULTILINE)[2:]]
    named = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}

    assert all("`" in cell for cell in cells)
    # A test on the emulator tells as much of the others, which are about one deployment.
    assert named <= {one.id for one in CHECKS}
    assert {one.id for one in (*unknowns.CHECKS, *figures.CHECKS)} <= named


def test_each_attack_has_a_defence_and_a_test() -> None:
    rows = re.findall(r"^\| (.*) \|$", (ROOT / "docs/threat-model.md").read_text(), re.MULTILINE)
    attacks = [row.split(" | ") for row in rows if "::" in row]

    assert len(attacks) > 30
    assert all(len(cells) >= 3 and cells[1] for cells in attacks)


def test_the_user_reference_is_computed_as_the_document_says(invoke: Invoke) -> None:
    text = (ROOT / "docs/security-features.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    module: dict[str, object] = {}
    exec(code, module)
    reference = module["reference"]
    assert callable(reference)

    log = invoke(Operation.RESET_PASSWORD, {"username": "Andre\u0301@Example.com"}).log

    assert log["request_id"] == REQUEST_ID
    assert log["user"] == reference(SETTINGS.pseudonym_key, "andr\u00e9@example.com")
