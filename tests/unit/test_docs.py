"""What the documents say is what the code does: a table is derived, and what they name is there."""

import re
from pathlib import Path

import pytest

from functions import problems
from functions.problems import Problem

ROOT = Path(__file__).parents[2]


def problem_table() -> str:
    """The table of `docs/problems.md`."""
    seen = dict.fromkeys(v for v in vars(problems).values() if isinstance(v, Problem))
    rows = [
        f"| `{p.code}` | {p.status} | {p.detail} | {p.recovery_suggestion} |"
        for p in sorted(seen, key=lambda problem: (problem.status, problem.code))
    ]
    head = ["| code | status | what happened | what to do |", "|---|---|---|---|"]
    return "\n".join(head + rows)


def test_the_documents_list_every_problem() -> None:
    assert problem_table() in (ROOT / "docs/problems.md").read_text()


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_a_document_names_only_files_and_targets_that_exist(document: Path) -> None:
    text = document.read_text()
    makefile = (ROOT / "Makefile").read_text()

    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    targets = re.findall(r"^make (?:-\S+ )*([a-z]+)|`make ([a-z]+)", text, re.MULTILINE)

    assert [link for link in links if not (document.parent / link).exists()] == []
    assert [t for t in map("".join, targets) if f"\n{t}:" not in makefile] == []
