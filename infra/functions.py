"""A Lambda function for each operation."""

from typing import Final

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from functions.operations import TABLE_COUNTS, TABLE_REPEATS, Operation
from functions.settings import Settings
from infra.bundle import LAMBDA, archive, build
from infra.cognito import service_model
from infra.settings import Stage
from infra.user_pool import UserPool

MEMORY: Final = 512
"""MB; a processor's share grows with it, and a cold start is all computing."""
TIMEOUT: Final = 28
"""Seconds: above all of a function's own time-outs, below the 29 that API Gateway waits."""

XRAY_SDK: Final[dict[bool, dict[str, str]]] = {False: {}, True: {"XRAY_SDK": "true"}}
"""How a function knows that its bundle has the X-Ray SDK."""


class Functions(Construct):
    """Each operation's published version, behind the alias `live`."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        user_pool: UserPool,
        table: dynamodb.ITable,
        event_bus: events.IEventBus | None,
    ) -> None:
        super().__init__(scope, id_)
        bundle = build(platform=None if stage.native else LAMBDA, xray_sdk=stage.xray_sdk)
        code = lambda_.Code.from_asset(str(archive(bundle)))
        settings = Settings(
            user_pool_id=user_pool.pool.user_pool_id,
            user_pool_client_id=user_pool.client_id,
            allowed_client_ids=frozenset(
                {user_pool.client_id, user_pool.public_client_id, *stage.allowed_client_ids} - {""}
            ),
            allowed_origins=frozenset(stage.allowed_origins),
            reveal_user_existence=stage.reveal_user_existence,
            # Whether a brought pool ignores case is not known here; Cognito itself knows.
            lower_case_emails=not user_pool.brought,
            threat_protection=stage.threat_protection,
            answer_step=stage.answer_step,
            limits=stage.limits,
            table_name=table.table_name,
            breach_endpoint=stage.breach_endpoint,
            event_bus_name=event_bus.event_bus_name if event_bus else "",
        )
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::*]",
                reason="X-Ray's actions know no resources",
            ),
            Acknowledgment(
                id="AwsSolutions-L1",
                reason="Python 3.13 starts faster than 3.14, and is supported until 2029",
            ),
        )
        self.by_operation: dict[Operation, lambda_.Alias] = {}
        self.log_groups: list[logs.ILogGroup] = []
        for operation in Operation:
            name = _pascal(operation)
            log_group = logs.LogGroup(
                self,
                f"{name}Logs",
                retention=stage.log_retention,
                removal_policy=stage.removal_policy,
            )
            role = iam.Role(
                self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
            )
            log_group.grant_write(role)
            signed = [f"cognito-idp:{call}" for call in operation.calls if _is_signed(call)]
            user_pool.pool.grant(role, *signed)
            table.grant(role, *(f"dynamodb:{call}" for call in TABLE_COUNTS))
            if operation.changes_password:
                table.grant(role, *(f"dynamodb:{call}" for call in TABLE_REPEATS))
                if event_bus:
                    event_bus.grant_put_events_to(role)
            function = lambda_.Function(
                self,
                name,
                description=(
                    operation.id.replace("_", " ") + " for a user of the pool"
                ).capitalize(),
                runtime=lambda_.Runtime.PYTHON_3_13,
                architecture=lambda_.Architecture.ARM_64,
                code=code,
                handler=f"functions.{operation.id}.handler.handler",
                environment=settings.environment() | XRAY_SDK[stage.xray_sdk],
                log_group=log_group,
                memory_size=MEMORY,
                role=role,
                current_version_options=lambda_.VersionOptions(
                    removal_policy=(
                        RemovalPolicy.RETAIN if stage.keep_versions else RemovalPolicy.DESTROY
                    )
                ),
                snap_start=(
                    lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if stage.snap_start else None
                ),
                timeout=Duration.seconds(TIMEOUT),
                tracing=lambda_.Tracing.ACTIVE,
            )
            self.log_groups.append(log_group)
            self.by_operation[operation] = function.add_alias("live")


def _pascal(operation: Operation) -> str:
    return operation.name.title().replace("_", "")


def _is_signed(call: str) -> bool:
    """Whether IAM applies to a Cognito action; to those that end users call, it does not."""
    model = service_model().operation_model(call)
    return "smithy.api#noAuth" not in (model.auth or [])
