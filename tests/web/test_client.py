"""The JavaScript client, and Amplify, under Node; the programs beside this file do the testing."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from functions.problems import PROBLEMS
from tests.support import PATIENCE, ROOT

HERE = Path(__file__).parent


def run(*command: str | Path, **variables: str) -> None:
    environment = {"PATH": os.environ["PATH"], **variables}
    result = subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("program", sorted(HERE.glob("*.test.js")), ids=lambda path: path.stem)
def test_a_program_under_node_finds_what_it_expects(program: Path) -> None:
    documents = [problem.document("a-request") for problem in PROBLEMS]

    run("node", "--test", program, PROBLEMS=json.dumps(documents))


def test_the_types_are_those_of_amplify_and_of_the_code() -> None:
    run(ROOT / "node_modules" / ".bin" / "tsc", "--project", HERE)
