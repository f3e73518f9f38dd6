"""Log groups, and the removal policy of data that outlives the stack."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Deployment


def removal_policy(settings: Deployment) -> RemovalPolicy:
    """Return the removal policy that the settings choose for data."""
    kept = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
    return kept if settings.retain_data else RemovalPolicy.DESTROY


class LogGroup(logs.LogGroup):
    """A log group that outlives the stack if data is retained."""

    def __init__(self, scope: Construct, id_: str, *, settings: Deployment, **options: Any) -> None:
        super().__init__(
            scope,
            id_,
            retention=logs.RetentionDays[settings.log_retention],
            removal_policy=removal_policy(settings),
            **options,
        )
