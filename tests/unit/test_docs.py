"""What the documents say is what the code does: a table is derived, a sample answer is replayed."""

import json
import re
from pathlib import Path

import pytest

from functions import problems
from functions.operations import Operation
from functions.problems import Problem
from tests.unit.conftest import Invoke

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


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


def sample(heading: str) -> tuple[str, object]:
    """The body that a section of the README sends, and the answer that it shows."""
    section = README.partition(f"### {heading}")[2].partition("\n#")[0]
    found = re.search(r"-d '(.*?)'\n```\n\n```json\n(.*?)\n```", section, re.DOTALL)
    assert found
    return found[1], json.loads(found[2])


def test_the_readme_shows_the_real_answer_of_reset(invoke: Invoke) -> None:
    body, answer = sample("Reset password")

    assert invoke(Operation.RESET_PASSWORD, raw=body).body == answer


def test_the_readme_shows_the_real_answer_to_a_bad_request(invoke: Invoke) -> None:
    body, answer = sample("Failures")

    assert invoke(Operation.CONFIRM_RESET_PASSWORD, raw=body).body | {"requestId": "…"} == answer


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_a_document_names_only_files_and_targets_that_exist(document: Path) -> None:
    text = document.read_text()
    makefile = (ROOT / "Makefile").read_text()

    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    targets = re.findall(r"^make (?:-\S+ )*([a-z]+)|`make ([a-z]+)", text, re.MULTILINE)

    assert [link for link in links if not (document.parent / link).exists()] == []
    assert [t for t in map("".join, targets) if f"\n{t}:" not in makefile] == []
