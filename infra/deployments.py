"""Canary deployments, which alarms roll back."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acknowledgments import acknowledge_policy


class Deployments(Construct):
    """A canary on the alias of each function that it is given."""

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
        acknowledge_policy(self, "AWSCodeDeployRoleForLambdaLimited")
