"""Canary deployments, which a check stops and alarms roll back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from aws_cdk import CfnElement, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from functions.messages import Message, Task
from functions.operations import WORKER, Operation
from infra import deployment_check
from infra.acknowledgments import acknowledge, acknowledge_policy
from infra.logs import LogGroup
from infra.settings import Deployment

CALLER: Final = "deployment-check"
"""The name of the checks' request and of their user, whom nobody has."""
ADDRESS: Final = "192.0.2.1"
"""The address of the checks' caller, which belongs to nobody (RFC 5737)."""


class Check(NamedTuple):
    """An event for a new version of a function, and what its response must contain."""

    event: Mapping[str, Any]
    answer: Mapping[str, Any]


def find_check(name: str) -> Check:
    """Return the check of a function, which changes nothing and counts no attempt.

    The policy's version must read the pool, and the worker's must ask it for a user. The others get
    a request without its fields.
    """
    if name == WORKER:
        parameters = {"username": CALLER, "since": 0}
        message = Message(Task.CHECK_CHANGE, CALLER, ADDRESS, None, parameters, 0)
        delivery = {
            "messageId": CALLER,
            "receiptHandle": CALLER,
            "eventSourceARN": CALLER,
            "attributes": {"ApproximateReceiveCount": "1"},
            "body": json.dumps(message._asdict()),
        }
        return Check({"Records": [delivery]}, {"batchItemFailures": []})
    operation = Operation[name.upper()]
    event = {
        "headers": {"Content-Type": "application/json"},
        "body": "{}",
        "requestContext": {"requestId": CALLER, "identity": {"sourceIp": ADDRESS}},
    }
    refused = 401 if operation.signed_in else 400
    return Check(event, {"statusCode": refused if operation.has_body else operation.status})


class Deployments(Construct):
    """A check of each new version of the functions that it is given, and then a canary."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Deployment,
        functions: Mapping[str, lambda_.Alias],
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id_)
        application = codedeploy.LambdaApplication(self, "Application")
        checks: list[dict[str, Any]] = []
        log_group = LogGroup(self, "CheckLogs", settings=settings)
        role = iam.Role(self, "CheckRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        groups = []
        for name, alias in functions.items():
            group = codedeploy.LambdaDeploymentGroup(
                self,
                name.title().replace("_", ""),
                application=application,
                alias=alias,
                alarms=alarms,
                auto_rollback=codedeploy.AutoRollbackConfig(deployment_in_alarm=True),
                deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_15_MINUTES,
            )
            groups.append(group)
            version = alias.version.function_arn
            called = {"group": group.deployment_group_name, "version": version}
            checks.append(called | find_check(name)._asdict())
            # Not of the version: a new permission is not known everywhere at once.
            alias.lambda_.grant_invoke(role)
        check = lambda_.Function(
            self,
            "Check",
            description="Call each new version of a function before it gets traffic",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_inline(Path(deployment_check.__file__).read_text()),
            handler="index.handler",
            environment={"CHECKS": Stack.of(self).to_json_string(checks)},
            log_group=log_group,
            role=role,
            timeout=Duration.seconds(deployment_check.PATIENCE + 30),
        )
        arns = [group.deployment_group_arn for group in groups]
        role.add_to_policy(
            iam.PolicyStatement(actions=["codedeploy:GetDeployment"], resources=arns)
        )
        for group in groups:
            group.add_pre_hook(check)
        acknowledge(check, {"L1": "It runs on the Python of the functions that it calls"})
        for alias in functions.values():
            acknowledge(role, {_invokes(alias.lambda_): "The check may call each version"})
        for group in groups:
            acknowledge(group.role, {_invokes(check): "CodeDeploy may call the check"})
            acknowledge_policy(group.role, "AWSCodeDeployRoleForLambdaLimited")


def _invokes(function: lambda_.IFunction) -> str:
    """Return the finding about a grant to invoke a function."""
    id_ = Stack.of(function).get_logical_id(cast("CfnElement", function.node.default_child))
    return f"IAM5[Resource::<{id_}.Arn>:*]"
