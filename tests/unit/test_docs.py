"""What the documents say is what the code does: a table is derived, and what they name is there."""

import json
import re
from pathlib import Path

import pytest

from functions import problems
from functions.operations import Operation
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


SINGLE = [Operation.RESET_PASSWORD, Operation.UPDATE_PASSWORD]
"""What makes one call of Cognito, and not two."""
RATIOS: dict[str, tuple[str, list[Operation], str]] = {
    "cold": ("cold_vs_cookbook", [*Operation], "a cold start takes {} of the time of"),
    "cold, no byte code": (
        "cold_vs_cookbook_without_bytecode",
        [*Operation],
        "{} of that without byte code",
    ),
    "cold, naive": ("cold_vs_naive_boto3", [*Operation], "and {} of that of a bare boto3 handler"),
    "first call": ("first_call_vs_cookbook", [*Operation], "first call after it takes {} of"),
    "memory": ("peak_memory_vs_cookbook", [*Operation], "peak memory is {} of"),
    "warm": ("warm_cpu_vs_cookbook", SINGLE, "costs {} of the processor time of"),
    "warm, naive": ("warm_cpu_vs_naive_boto3", SINGLE, "and {} times that of the bare handler"),
    "warm, confirm": (
        "warm_cpu_vs_naive_boto3",
        [Operation.CONFIRM_RESET_PASSWORD],
        "confirm costs {} times as much as the bare handler",
    ),
}


@pytest.mark.parametrize(("ratio", "operations", "sentence"), RATIOS.values(), ids=RATIOS)
def test_a_document_has_the_ratios_that_were_measured(
    ratio: str, operations: list[Operation], sentence: str
) -> None:
    results = json.loads((ROOT / "benchmarks/results.json").read_text())
    document = " ".join((ROOT / "docs/performance.md").read_text().split())

    low, *_, high = sorted(f"{results[operation.id][ratio]:.2f}" for operation in operations * 2)
    span = low if low == high else f"{low} to {high}"

    assert sentence.format(span) in document
