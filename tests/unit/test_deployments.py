"""A version that does not respond as it should gets no traffic."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, WORKER, Operation
from infra import deployment_check
from infra.deployments import find_check
from tests.support.front import CognitoFront
from tests.support.invocation import call
from tests.unit.conftest import Service

CHECKED = [name for name in FUNCTIONS if name != CUSTOM_MESSAGE]
VERSION = "arn:aws:lambda:us-east-1:123456789012:function:worker:7"
EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
CHECK = {"version": VERSION, **find_check(WORKER)._asdict()}


@pytest.mark.parametrize("name", CHECKED)
def test_a_version_that_works_passes_its_check_and_does_nothing(
    name: str, service: Service
) -> None:
    service.configure(limits=True)
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    event, answer = find_check(name)

    if name == WORKER:
        given = json.loads(service.deployment.work(*event["Records"]).text)
    else:
        reply = call(service.deployment.handler(Operation[name.upper()]), dict(event))
        given = {"statusCode": reply.status}

    assert given.items() >= answer.items()
    read = {"AdminGetUser", "DescribeUserPool", "DescribeUserPoolClient"}
    assert {one.action for one in service.cognito.requests} <= read


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
