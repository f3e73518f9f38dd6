"""Call a new version of a function once, before CodeDeploy shifts traffic to it.

CodeDeploy runs this file in a function of its own, outside the bundle: Lambda's runtime has boto3.
"""

import json
import os
from typing import Any

import boto3
from botocore.config import Config

PATIENCE = 90
"""Seconds to wait for a version: more than any function may take."""


def handler(event: dict[str, str], _context: object) -> None:
    """Tell CodeDeploy whether the version of the deployment responds as it should.

    CodeDeploy names only the deployment. `CHECKS` has what to check for each deployment `group`:
    the ARN of the `version`, the `event` to invoke it with, and the `answer` that must be part of
    its response.
    """
    codedeploy = boto3.client("codedeploy")
    try:
        deployment = codedeploy.get_deployment(deploymentId=event["DeploymentId"])
        group = deployment["deploymentInfo"]["deploymentGroupName"]
        checks = json.loads(os.environ["CHECKS"])
        succeeded = _succeeds(next(check for check in checks if check["group"] == group))
    except Exception as error:  # noqa: BLE001 - CodeDeploy would wait an hour for an answer
        print(f"The check failed: {error}")  # noqa: T201
        succeeded = False
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded" if succeeded else "Failed",
    )


def _succeeds(check: dict[str, Any]) -> bool:
    version, event = check["version"], json.dumps(check["event"])
    config = Config(read_timeout=PATIENCE, retries={"total_max_attempts": 1})
    response = boto3.client("lambda", config=config).invoke(FunctionName=version, Payload=event)
    answer = json.loads(response["Payload"].read())
    print(f"{version} answered {answer}")  # noqa: T201
    return bool(answer.items() >= check["answer"].items())
