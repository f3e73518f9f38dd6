"""A new version gets traffic slowly and rolls back by itself; settings keep or prune old ones."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from functions.operations import FUNCTIONS, WORKER, WORKER_TIMEOUT
from infra import deployment_check
from infra.deployments import find_check
from infra.settings import STAGES
from tests.infra.conftest import OTHER_DEV, OTHER_PROD, find_in, synthesize, synthesize_stage
from tests.infra.test_observability import alarm_name, alarms, period
from tests.support.front import CognitoFront

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
        version = alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        assert json.dumps(version) in json.dumps(environment)
        # Not of the version, because a new permission is not known everywhere at once.
        function = alias["Properties"]["FunctionName"]["Ref"]
        assert json.dumps({"Fn::GetAtt": [function, "Arn"]}) in json.dumps(allowed)
        assert version not in json.dumps(allowed)

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


VERSION = "arn:aws:lambda:us-east-1:123456789012:function:worker:7"
EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
CHECK = {"version": VERSION, **find_check(WORKER)._asdict()}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[CognitoFront]:
    """Lambda and CodeDeploy, whose deployment is of the group `worker`."""
    with CognitoFront() as front:
        for service in ("CODEDEPLOY", "LAMBDA"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", front.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        monkeypatch.setenv("CHECKS", json.dumps([{"group": "worker", **CHECK}]))
        info = {"deploymentInfo": {"deploymentGroupName": "worker"}}
        front.answer("GetDeployment", body=info)
        yield front


def test_the_check_waits_for_the_slowest_version_and_has_time_to_tell() -> None:
    template = synthesize_stage("prod")
    (check,) = (
        one for one in find_in(template, "AWS::Lambda::Function") if "ZipFile" in one["Code"]
    )

    assert WORKER_TIMEOUT < deployment_check.PATIENCE < check["Timeout"]


@pytest.mark.parametrize(
    ("script", "group", "status"),
    [
        ({"body": {"batchItemFailures": []}}, "worker", "Succeeded"),
        ({"body": {"batchItemFailures": [{"itemIdentifier": "m"}]}}, "worker", "Failed"),
        ({"body": {"errorType": "Runtime.ImportModuleError"}}, "worker", "Failed"),
        ({"error": "AccessDeniedException"}, "worker", "Failed"),
        ({"body": {"batchItemFailures": []}}, "another", "Failed"),
    ],
)
def test_codedeploy_is_always_told_what_came_of_the_check(
    script: dict[str, Any], group: str, status: str, aws: CognitoFront
) -> None:
    aws.answer("", **script)
    aws.answer("GetDeployment", body={"deploymentInfo": {"deploymentGroupName": group}})

    deployment_check.handler(EVENT, None)

    (told,) = aws.take("PutLifecycleEventHookExecutionStatus")
    assert told.body == {
        "deploymentId": "d-1",
        "lifecycleEventHookExecutionId": "e-1",
        "status": status,
    }
