"""What others check a template for."""

import json
import subprocess
import sys
from pathlib import Path

import cdk_nag
import pytest
from aws_cdk import App, Validations

from infra.settings import STAGES, read_stage
from infra.stack import PasswordService
from tests.infra.conftest import synthesize_stage

each_stage = pytest.mark.parametrize("name", STAGES)


@each_stage
def test_cdk_nag_finds_nothing_that_is_not_acknowledged(name: str, tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    PasswordService(app, "stack", stage=read_stage({"stage": name}.get))
    Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))

    app.synth()

    reports = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    assert [violation for report in reports for violation in report["violations"]] == []


@each_stage
def test_cfn_lint_finds_nothing(name: str, tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    template.write_text(json.dumps(synthesize_stage(name)))
    # W3005: the CDK names a dependency that a reference implies already.
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "-i", "W3005", "--", str(template)]

    linted = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (linted.stdout, linted.returncode) == ("", 0)
