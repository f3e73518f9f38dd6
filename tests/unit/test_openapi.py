"""`openapi.json` and the page about it are what the declarations say, and good OpenAPI."""

import json
import os
import runpy
import subprocess
from typing import Any

import openapi_spec_validator
import pytest
from infra.reference import write

from apidocs.openapi import FILE, ROOT
from functions import problems
from functions.problems import JSON, Problem

DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


@pytest.mark.parametrize(
    ("module", "file"), [("openapi.py", "openapi.json"), ("reference.py", "docs/reference.md")]
)
def test_a_file_is_what_the_declarations_give(
    module: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(ROOT / "infra" / module), run_name="__main__")

    current = capsys.readouterr().out == (ROOT / file).read_text()
    assert current, f"{file} is stale: run `make openapi`, and commit what it writes."


def test_the_document_is_openapi() -> None:
    openapi_spec_validator.validate(DOCUMENT)


def test_a_strict_linter_finds_nothing() -> None:
    program = ROOT / "node_modules" / ".bin" / "redocly"
    # It would tell its maker, and ask for its latest version.
    silent = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}

    linted = subprocess.run(
        [program, "lint", "--extends=recommended-strict", "--format=json", FILE],
        env=os.environ | silent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert json.loads(linted.stdout)["problems"] == []
    assert linted.returncode == 0


def test_every_problem_has_an_example_or_belongs_to_no_operation() -> None:
    shown = {
        (status, example["value"]["code"], example["value"]["detail"])
        for operation in OPERATIONS
        for status, answer in operation["responses"].items()
        for example in answer.get("content", {}).get(JSON, {}).get("examples", {}).values()
    }
    every = {p for p in vars(problems).values() if isinstance(p, Problem)}
    missing = {p for p in every if (str(p.status), p.code, p.detail) not in shown}

    assert missing == {problems.NOT_FOUND, problems.METHOD_NOT_ALLOWED}
    for problem in missing:
        document = problem.document("c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
        assert json.dumps(document, indent=2) in DOCUMENT["info"]["description"]


def test_the_page_has_the_members_of_a_failure_and_one_that_has_all_of_them() -> None:
    schema = DOCUMENT["components"]["schemas"]["Problem"]
    (example,) = schema["examples"]
    section = write(DOCUMENT).partition("\n## A failure\n")[2].partition("\n## ")[0]

    assert example.keys() == schema["properties"].keys()
    assert json.dumps(example, indent=2) in section
    for member in (*example, *(f"errors[].{name}" for name in example["errors"][0])):
        assert f"| `{member}` |" in section


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_the_page_has_the_members_and_the_failures_of_an_operation(path: str) -> None:
    operation = DOCUMENT["paths"][path]["post"]
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = DOCUMENT["components"]["schemas"][name.rpartition("/")[2]]
    options = schema["properties"]["options"]["properties"]
    failures = {
        (status, example["value"]["code"])
        for status, answer in operation["responses"].items()
        for example in answer.get("content", {}).get(JSON, {}).get("examples", {}).values()
    }

    section = write(DOCUMENT).partition(f": `POST {path}`\n")[2].partition("\n## ")[0]

    for member in (*schema["properties"], *(f"options.{option}" for option in options)):
        assert f"| `{member}` |" in section
    for status, code in failures:
        assert f"| {status} | `{code}` |" in section
    assert ("Authorization: Bearer" in section) == bool(operation["security"])
