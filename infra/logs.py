"""Log groups, kept for the time that the settings say, and what else outlives the stack."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from functions.settings import Settings


def removal_policy(settings: Settings) -> RemovalPolicy:
    """Return the policy of data that is kept if the settings say so."""
    kept = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
    return kept if settings.retain_data else RemovalPolicy.DESTROY


class LogGroup(logs.LogGroup):
    """A log group that outlives the stack if data is retained."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings, **options: Any) -> None:
        super().__init__(
            scope,
            id_,
            retention=logs.RetentionDays[settings.log_retention],
            removal_policy=removal_policy(settings),
            **options,
        )
