"""The generated documents are what the declarations give, and good OpenAPI."""

import json
import os
import subprocess
from typing import Any

import pytest

from apidocs.documents import write_all
from tests.support import ROOT

DOCUMENT: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text())
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


@pytest.mark.parametrize(("file", "text"), write_all().items(), ids=str)
def test_a_generated_document_is_current(file: str, text: str) -> None:
    current = (ROOT / file).read_text() == text
    assert current, f"{file} is stale: run `make docs`, and commit what it writes."


def test_a_strict_linter_finds_nothing_in_the_document() -> None:
    program = ROOT / "node_modules" / ".bin" / "redocly"
    # It would send usage data to its maker, and look for a newer version.
    silent = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}

    linted = subprocess.run(
        [program, "lint", "--extends=recommended-strict", "--format=json", ROOT / "openapi.json"],
        env=os.environ | silent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert json.loads(linted.stdout)["problems"] == []
    assert linted.returncode == 0
