"""The files, make targets and tests that the documents name exist."""

import re
from functools import cache
from pathlib import Path

import pytest

from functions.operations import Operation
from infra.queries import QUERIES
from infra.settings import StageChoices, camel_case
from tests.support import ROOT
from tests.support.invocation import REQUEST_ID, SETTINGS
from tests.unit.conftest import Invoke
from verification.commands import CHECKS

DOCUMENTS = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))


@cache
def defined_in(file: str) -> set[str]:
    """The names of the tests that a file has."""
    return set(re.findall(r"^def (test_\w+)", (ROOT / file).read_text(), re.MULTILINE))


@cache
def anchors_of(document: Path) -> set[str]:
    """The anchors that a document's titles have on GitHub."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_links_only_to_sections_that_exist(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", document.read_text())

    targets = [(document.parent / file if file else document, anchor) for file, anchor in links]
    assert [one for one in targets if one[1] not in anchors_of(one[0].resolve())] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_names_only_files_targets_and_tests_that_exist(document: Path) -> None:
    text = document.read_text()
    makefile = (ROOT / "Makefile").read_text()

    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    targets = re.findall(r"^make (?:-\S+ )*([a-z]+)|`make ([a-z]+)", text, re.MULTILINE)
    cited = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)

    assert [link for link in links if not (document.parent / link).exists()] == []
    assert [t for t in map("".join, targets) if f"\n{t}:" not in makefile] == []
    assert [(file, test) for file, test in cited if test not in defined_in(file)] == []
    assert text.count(".py::") == len(cited)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_row_of_a_table_is_on_one_line_and_has_as_many_cells_as_the_title(document: Path) -> None:
    """Otherwise, the table ends there."""
    text = re.sub(r"```.*?```|`[^`]*`", "", document.read_text(), flags=re.DOTALL)
    tables = re.findall(r"(?:^\|.*\n)(?:^\|[ -|:]+\|\n)(?:^.+\n)*", text, re.MULTILINE)

    rows = [(row, table.splitlines()[0]) for table in tables for row in table.splitlines()]
    cells = re.compile(r"(?<!\\)\|")
    assert [
        row for row, title in rows if len(cells.findall(row)) != len(cells.findall(title))
    ] == []


def test_a_remedy_of_make_verify_names_only_settings_queries_and_sections_that_exist() -> None:
    remedies = "\n".join(check.remedy for check in CHECKS)
    settings = {camel_case(name) for name in StageChoices.__annotations__}
    sections = {f"{one.relative_to(ROOT)}#{name}" for one in DOCUMENTS for name in anchors_of(one)}

    assert set(re.findall(r"\b[a-z]+[A-Z]\w+", remedies)) - settings == {"requestId"}
    assert set(re.findall(r"docs/\S+#[\w-]+", remedies)) - sections == set()
    assert set(re.findall(r"query `(\w+)`", remedies)) - QUERIES.keys() == set()


def test_the_user_reference_is_computed_as_the_document_says(invoke: Invoke) -> None:
    text = (ROOT / "docs/reference/user-reference.md").read_text()
    codes = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (code,) = (one for one in codes if "def reference" in one)
    module: dict[str, object] = {}
    exec(code, module)
    reference = module["reference"]
    assert callable(reference)

    log = invoke(Operation.RESET_PASSWORD, {"username": "Andre\u0301@Example.com"}).log

    assert log["request_id"] == REQUEST_ID
    assert log["user"] == reference(SETTINGS.pseudonym_key, "andr\u00e9@example.com")
