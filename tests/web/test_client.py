"""The JavaScript client, and Amplify, under Node; the programs next to this file do the testing."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from functions.fields import ConfirmationCode, Username
from functions.problems import PROBLEMS
from functions.settings import Runtime
from release.__main__ import to_common_js
from tests.support import PATIENCE, ROOT

HERE = Path(__file__).parent


def run(*command: str | Path, stdin: str = "", **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], **variables}
    result = subprocess.run(
        command,
        env=environment,
        input=stdin,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("program", sorted(HERE.glob("*.test.js")), ids=lambda path: path.stem)
def test_a_program_under_node_finds_what_it_expects(program: Path) -> None:
    documents = [problem.document("a-request") for problem in PROBLEMS]

    common_js = to_common_js((ROOT / "web" / "password-service.js").read_text())

    run("node", "--test", program, PROBLEMS=json.dumps(documents), COMMON_JS=common_js)


def test_the_types_are_those_of_amplify_and_of_the_code() -> None:
    run(ROOT / "node_modules" / ".bin" / "tsc", "--project", HERE)


def test_the_client_folds_each_character_as_the_service_does() -> None:
    # Node and Python may have different versions of Unicode.
    every = [chr(n) for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n)) != "Cn"]
    names = [f"a{one}b" for one in every]
    codes = ["", "-", "1-x", *(f"1{one}2" for one in every)]

    folded = json.loads(run("node", HERE / "fold.js", stdin=json.dumps([names, codes])))

    assert folded[0] == [Username().fold(name, Runtime()) for name in names]
    assert folded[1] == [ConfirmationCode().fold(code, Runtime()) for code in codes]
