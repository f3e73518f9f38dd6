"""Other people's checks of the templates: cfn-lint, and AWS's own. `test_nag.py` has cdk-nag."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import CfnResource
from cloudformation_validate import (  # type: ignore[import-untyped]  # it has no py.typed
    CompositeEngine,
    RuleFilterConfig,
    Severity,
    TemplateContent,
    ValidateConfig,
)

from release import template
from tests.infra.conftest import IMPORTED, everything, make_app, make_stack, synthesize

DEPENDS_TWICE = "W3005"
"""The CDK names a dependency that a reference implies already."""
ARN_IN_FULL = ["W9002", "W9013"]
"""A setting is the ARN of the operator's certificate, with the number of an account."""
YOUNGER = "AWS::Cognito::UserPoolSessionConfigurationAttachment"
"""A type of 2026 that the validators' lists do not have."""
UNKNOWN_ACTIONS = {"adminlistusersessions", "adminrevokeusersession", "sendmessagebatch"}
"""The younger ones, and what the emulator asks for where AWS asks for SendMessage."""


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Templates that have every setting on and off between them, and that of a release."""
    switched_on = ("canary", "keepVersions", "snapStart")
    switched_off = ("cloudWatchRole", "events", "limits")
    other = {"stage": "dev", "firewall": "count"} | IMPORTED
    other |= dict.fromkeys(switched_on, "true") | dict.fromkeys(switched_off, "false")
    settings = [everything("local"), other, everything("prod") | {"threatProtection": "true"}]
    folder = tmp_path_factory.mktemp("templates")
    for number, chosen in enumerate(settings):
        (folder / f"{number}.json").write_text(json.dumps(synthesize(**chosen)))
    (folder / "release.json").write_text(template.synthesize())
    return sorted(folder.iterdir())


def test_the_cdk_finds_what_breaks_its_own_rules(tmp_path: Path) -> None:
    app = make_app(str(tmp_path), validates=True, stage="prod")
    CfnResource(make_stack(app), "Bucket", type="AWS::S3::Bucket", properties={"NoSuch": "name"})

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


def test_cfn_lint_finds_in_no_region_more_than_the_documents_say(matrix: list[Path]) -> None:
    program = str(Path(sys.executable).with_name("cfn-lint"))
    options = ["--regions", "ALL_REGIONS", "--format", "parseable", "-i", DEPENDS_TWICE, "--"]

    linted = subprocess.run(
        [sys.executable, program, *options, *map(str, matrix)],
        capture_output=True,
        text=True,
        check=False,
    )

    found = {line.partition(".json:")[2].split(":", 4)[-1] for line in linted.stdout.splitlines()}
    found -= {one for one in found if one.startswith(f"E3006:Resource type '{YOUNGER}'")}
    by_rule = {
        rule: "".join(one for one in found if one[:5] == rule)
        for rule in ("E3006", "E2530", "W3037")
    }
    where = {rule: set(re.findall("'([a-z-]+-\\d)'", text)) for rule, text in by_rule.items()}
    unknown = {one.split("'")[1] for one in found if one.startswith("W3037")}
    assert unknown == UNKNOWN_ACTIONS
    assert {one[:5] for one in found} == where.keys()
    missing = set(re.findall("'(AWS::[^']+)' does not exist in '([a-z-]+-\\d)'", by_rule["E3006"]))
    china = {"cn-north-1", "cn-northwest-1"}
    assert {region for kind, region in missing if "Cognito" in kind} == china
    assert {region for kind, region in missing if "SES" in kind} == china | {
        *("ap-east-1", "ap-east-2", "ap-southeast-4", "ap-southeast-6", "ap-southeast-7"),
        *("eu-south-2", "mx-central-1"),
    }
    assert {kind.split("::")[1] for kind, _ in missing} == {"Cognito", "SES"}
    assert "SnapStart" in by_rule["E2530"]
    assert {region for region in where["E2530"] if region[:3] not in {"cn-", "us-", "eu-"}} == {
        *("ap-east-2", "ap-southeast-6", "eusc-de-east-1")
    }


def test_awss_own_validator_finds_nothing(matrix: list[Path]) -> None:
    engine = CompositeEngine()
    config = ValidateConfig(
        severity_level=Severity.WARN, exclude=RuleFilterConfig(ids=[DEPENDS_TWICE, *ARN_IN_FULL])
    )

    reports = [engine.validate_template(one, config) for one in matrix]

    found = [str(one) for report in reports for one in report.diagnostics]
    assert [one for one in found if f"Unknown resource type '{YOUNGER}'" not in one] == []
    broken = TemplateContent('{"Resources": {"Table": {"Type": "AWS::DynamoDB::Table"}}}')
    assert engine.validate_template(broken, config).diagnostics
