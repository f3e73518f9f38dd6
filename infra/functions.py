"""A Lambda function for each operation."""

from functools import cache
from typing import Final

import botocore.session
from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from botocore.model import ServiceModel
from constructs import Construct

from functions.operations import COUNT_ACTIONS, IDEMPOTENCY_ACTIONS, Operation
from functions.settings import Settings
from infra.logs import LogGroup, removal_policy
from infra.packaging.bundle import LAMBDA, archive, build
from infra.user_pool import UserPool

MEMORY: Final = 512
"""MB. The processor share grows with it, and a cold start is all computing."""
TIMEOUT: Final = 28
"""Seconds: more than all of a function's own time-outs, less than the 29 that API Gateway waits."""


class Functions(Construct):
    """Each operation's published version, behind the alias `live`."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        user_pool: UserPool,
        table: dynamodb.ITable,
        event_bus: events.IEventBus | None,
    ) -> None:
        super().__init__(scope, id_)
        platform = None if settings.host_platform else LAMBDA
        bundle = build(platform=platform, xray_sdk=settings.xray_sdk)
        code = lambda_.Code.from_asset(str(archive(bundle)))
        environment = settings.replace(
            user_pool_id=user_pool.pool.user_pool_id,
            user_pool_client_id=user_pool.client_id,
            allowed_client_ids=(*user_pool.client_ids, *settings.allowed_client_ids),
            # Whether an imported pool ignores case is not known here. Cognito itself knows.
            lower_case_usernames=not user_pool.imported,
            table_name=table.table_name,
            event_bus_name=event_bus.event_bus_name if event_bus else "",
            pseudonym_key=self._make_pseudonym_key(settings),
        ).environment()
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
            name = operation.type_name
            log_group = LogGroup(self, f"{name}Logs", settings=settings)
            role = iam.Role(
                self, f"{name}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
            )
            log_group.grant_write(role)
            signed = [f"cognito-idp:{action}" for action in operation.actions if _is_signed(action)]
            user_pool.pool.grant(role, *signed)
            stored = IDEMPOTENCY_ACTIONS if operation.repeatable else ()
            table.grant(role, *(f"dynamodb:{action}" for action in (*COUNT_ACTIONS, *stored)))
            if operation.changes_password and event_bus:
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
                handler=f"functions.start.{operation.id}",
                environment=environment,
                log_group=log_group,
                memory_size=MEMORY,
                role=role,
                current_version_options=lambda_.VersionOptions(
                    removal_policy=(
                        # RETAIN would also keep the version of a deployment that is rolled back,
                        # and the next deployment of the same code could not publish it again.
                        RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
                        if settings.keep_versions
                        else RemovalPolicy.DESTROY
                    )
                ),
                snap_start=(
                    lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if settings.snap_start else None
                ),
                timeout=Duration.seconds(TIMEOUT),
                tracing=lambda_.Tracing.ACTIVE,
            )
            self.log_groups.append(log_group)
            self.by_operation[operation] = function.add_alias("live")

    def _make_pseudonym_key(self, settings: Settings) -> str:
        """Return a reference that CloudFormation replaces with the key when it deploys."""
        key = secretsmanager.Secret(
            self,
            "PseudonymKey",
            description="The key of the hashes in the password service's logs and table",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=removal_policy(settings),  # without it, kept logs name nobody
        )
        Validations.of(key).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="A new key would make users in old log lines unrecognisable",
            ),
        )
        return key.secret_value.unsafe_unwrap()


@cache
def _cognito() -> ServiceModel:
    return botocore.session.get_session().get_service_model("cognito-idp")


def _is_signed(action: str) -> bool:
    """Whether IAM applies to a Cognito action. It does not to those that end users call."""
    return "smithy.api#noAuth" not in (_cognito().operation_model(action).auth or [])
