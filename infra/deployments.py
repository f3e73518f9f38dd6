"""Canary deployments, which alarms roll back."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

_SHIFT_ALIASES: Final = (
    "arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"
)


class Deployments(Construct):
    """A canary on the alias of each function."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        functions: Mapping[str, lambda_.Alias],
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id_)
        application = codedeploy.LambdaApplication(self, "Application")
        for name, alias in functions.items():
            codedeploy.LambdaDeploymentGroup(
                self,
                name.title().replace("_", ""),
                application=application,
                alias=alias,
                alarms=alarms,
                auto_rollback=codedeploy.AutoRollbackConfig(deployment_in_alarm=True),
                deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_15_MINUTES,
            )
        Validations.of(self).acknowledge(
            Acknowledgment(
                id=f"AwsSolutions-IAM4[Policy::{_SHIFT_ALIASES}]",
                reason="The policy that AWS made for this purpose",
            )
        )
