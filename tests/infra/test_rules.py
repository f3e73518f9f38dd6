"""What others check a template for."""

import json
import subprocess
import sys
from pathlib import Path

import cdk_nag
import pytest
from aws_cdk import App, CfnResource, Validations
from aws_cdk.aws_s3 import Bucket

from functions.settings import STAGES
from tests.infra.conftest import DEFAULT_RULES, make_app, make_stack, synthesize
from tests.infra.test_domain import DOMAIN, ZONE

each_stage = pytest.mark.parametrize("name", STAGES)


def everything(name: str) -> dict[str, str]:
    """The stage, with the settings that add resources; `local` has no alarms to tell of."""
    alarms = {} if name == "local" else {"alarmEmail": "ops@example.com"}
    return {"stage": name} | DOMAIN | ZONE | alarms


def check(app: App) -> None:
    """Synthesize with cdk-nag, which makes of a finding an error."""
    Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    app.synth()


@each_stage
def test_cdk_nag_and_the_cdk_find_nothing_that_is_not_acknowledged(
    name: str, tmp_path: Path
) -> None:
    app = make_app(str(tmp_path), **everything(name), **{DEFAULT_RULES: True})
    make_stack(app)

    check(app)


def test_cdk_nag_finds_what_nobody_has_acknowledged(tmp_path: Path) -> None:
    app = make_app(str(tmp_path), stage="prod")
    Bucket(make_stack(app), "Bucket")

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        check(app)


def test_the_cdk_finds_what_breaks_its_own_rules(tmp_path: Path) -> None:
    app = make_app(str(tmp_path), stage="prod", **{DEFAULT_RULES: True})
    CfnResource(make_stack(app), "Bucket", type="AWS::S3::Bucket", properties={"NoSuch": "name"})

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


@each_stage
def test_cfn_lint_finds_nothing(name: str, tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    template.write_text(json.dumps(synthesize(**everything(name))))
    # W3005: the CDK names a dependency that a reference implies already.
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "-i", "W3005", "--", str(template)]

    linted = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (linted.stdout, linted.returncode) == ("", 0)
