"""A new version gets traffic slowly and rolls back by itself; settings keep or prune old ones."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from functions.operations import FUNCTIONS
from infra.settings import STAGES
from tests.infra.conftest import OTHER_DEV, OTHER_PROD, find_in, synthesize, synthesize_stage
from tests.infra.test_observability import alarm_name, alarms, period

GROUP = "AWS::CodeDeploy::DeploymentGroup"


def aliases(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Alias"]


def test_production_shifts_a_tenth_of_each_functions_traffic_first_and_rolls_back() -> None:
    template = synthesize_stage("prod")
    groups = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == GROUP}
    shifted = [alias for alias in aliases(template) if "UpdatePolicy" in alias]
    updated = [alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"] for alias in shifted]

    # The pool depends on its trigger, which would depend on alarms of functions that read the pool.
    assert len(groups) == len(FUNCTIONS) - 1
    assert sorted(update["DeploymentGroupName"]["Ref"] for update in updated) == sorted(groups)
    for group in groups.values():
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent15Minutes"

    # A function calls each new version before it gets any traffic.
    (hook,) = {update["BeforeAllowTrafficHook"]["Ref"] for update in updated}
    environment = template["Resources"][hook]["Properties"]["Environment"]["Variables"]
    assert {name for name in groups if name in json.dumps(environment)} == groups.keys()
    allowed = [
        statement["Resource"]
        for policy in find_in(template, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
    ]
    for alias in shifted:
        version = {"Ref": alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]}
        assert json.dumps(version) in json.dumps(allowed)
        assert json.dumps(version["Ref"]) in json.dumps(environment)

    # It rolls back on alarms that ring before it ends.
    ringing = alarms(template)
    for group in groups.values():
        references = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
        names = {alarm_name(reference) for reference in references}

        assert group["AlarmConfiguration"]["Enabled"] is True
        assert names == {"ServerErrors", "FunctionErrors", "Crashes"}
        assert all(period(ringing[name]) < 15 * 60 for name in names)
        assert group["AutoRollbackConfiguration"] == {
            "Enabled": True,
            "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
        }


def test_without_a_canary_a_stage_changes_over_at_once() -> None:
    for settings in ({"stage": "local"}, {"stage": "dev"}, OTHER_PROD):
        assert find_in(synthesize(**settings), GROUP) == []
        assert not any("UpdatePolicy" in alias for alias in aliases(synthesize(**settings)))
    assert len(find_in(synthesize(**OTHER_DEV), GROUP)) == len(FUNCTIONS) - 1


@pytest.mark.parametrize("stage", STAGES)
def test_the_alias_points_to_a_published_version(stage: str) -> None:
    resources = synthesize_stage(stage)["Resources"]

    for alias in aliases(synthesize_stage(stage)):
        version = resources[alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]]
        assert version["Type"] == "AWS::Lambda::Version"
        assert version["Properties"]["FunctionName"] == alias["Properties"]["FunctionName"]


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        # Not Retain, which would keep what a failed deployment made.
        ({"stage": "prod"}, "RetainExceptOnCreate"),
        ({"stage": "dev"}, "Delete"),
        (OTHER_PROD, "Delete"),
        (OTHER_DEV, "RetainExceptOnCreate"),
    ],
)
def test_a_version_that_was_replaced_is_kept_or_pruned_as_is_set(
    settings: dict[str, str], policy: str
) -> None:
    versions = [
        resource.get("DeletionPolicy", "Delete")
        for resource in synthesize(**settings)["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Version"
    ]

    assert versions == [policy] * len(FUNCTIONS)
