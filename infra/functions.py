"""A Lambda function for each operation, the worker, and the trigger of the pool."""

from collections.abc import Callable, Iterable
from typing import Final

from aws_cdk import Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from functions.aws import actions
from functions.aws.actions import Action
from functions.operations import (
    CUSTOM_MESSAGE,
    WORKER,
    WORKER_TIMEOUT,
    Operation,
    handler_name,
)
from functions.settings import names_read_by
from infra.acknowledgments import acknowledge
from infra.logs import LogGroup, removal_policy
from infra.packaging.bundle import find_code
from infra.queue import Queue
from infra.settings import Deployment

TIMEOUT: Final = 28
"""Seconds, of an operation. Longer than its own time-outs, shorter than API Gateway's 29."""

TIMEOUTS: Final = {WORKER: WORKER_TIMEOUT, CUSTOM_MESSAGE: 5}
"""Seconds, of the other functions. Cognito waits for a trigger for five."""

MEMORIES: Final = dict.fromkeys((WORKER, Operation.PASSWORD_POLICY.id), 256)
"""MB, of the functions that nobody waits for or that only repeat what they read. A worker spends
most of its time waiting, which costs by the MB."""

ALIAS: Final = "live"
CODES_PER_SECOND: Final = 10
"""The number of workers at once. Each takes `code_interval` for a code: one second. Cognito allows
30 calls a second, and the rest is for those who confirm and update."""

SUPPORT_TASKS_PER_SECOND: Final = 2
"""The number of workers at once for the support desk, the fewest that AWS allows."""

_CONFIGURATION_SETS: Final = (
    "arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:configuration-set/*"
)
_FINDINGS: Final = {
    iam.CfnPolicy: {
        "IAM5[Resource::*]": "X-Ray's actions know no resources",
        f"IAM5[Resource::{_CONFIGURATION_SETS}]": (
            "The sender's condition limits the grant; SES may apply any default set"
        ),
    },
    lambda_.CfnFunction: {"L1": "Python 3.13 starts faster than 3.14, and is supported until 2029"},
}
"""The findings of cdk-nag in each kind of resource."""


class Functions(Construct):
    """The functions, each published behind the alias `live`."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Deployment,
        pool: cognito.IUserPool,
        client: cognito.IUserPoolClient,
        table: dynamodb.ITable,
        event_bus: events.IEventBus | None,
        code: lambda_.CfnParametersCode | None,
    ) -> None:
        """Without a `code`, the functions have that of this package, which the CDK uploads."""
        super().__init__(scope, id_)
        self._settings = settings
        self._parameters = code
        self._code = code or lambda_.Code.from_asset(str(find_code()))
        # AWS asks for six times the worker's own time.
        self.queue = Queue(self, "Queue", visibility=Duration.seconds(6 * WORKER_TIMEOUT))
        self._runtime = runtime = settings.replace(
            user_pool_id=pool.user_pool_id,
            user_pool_client_id=client.user_pool_client_id,
            allowed_client_ids=(client.user_pool_client_id, *settings.allowed_client_ids),
            table_name=table.table_name,
            event_bus_name=event_bus.event_bus_name if event_bus else "",
            queue_url=self.queue.queue.queue_url,
            support_queue_arn=self.queue.support.queue_arn,
            pseudonym_key=self._make_pseudonym_key(settings),
        )

        def grant(function: lambda_.Function, needed: Iterable[Action]) -> None:
            by_service: dict[str, list[str]] = {}
            for action in needed:
                if action.is_granted:
                    names = by_service.setdefault(action.client.service, [])
                    names.append(f"{action.client.service}:{action.name}")
            resources: dict[str, Callable[..., object]] = {
                "cognito-idp": pool.grant,
                "dynamodb": table.grant,
                "sqs": self.queue.queue.grant,
            }
            for service, names in by_service.items():
                if service in resources:
                    resources[service](function, *names)
            if event_bus and "events" in by_service:
                event_bus.grant_put_events_to(function)
            if "sesv2" in by_service:
                _grant_mail(function, settings)

        self.log_groups: list[logs.ILogGroup] = []
        self.by_operation: dict[Operation, lambda_.Alias] = {}
        for operation in Operation:
            sentence = f"{operation.id.replace('_', ' ')} for a user of the pool".capitalize()
            function = self._add(operation.id, sentence)
            grant(function, actions.of_operation(operation, runtime))
            self.by_operation[operation] = self._publish(function)
        worker = self._add(WORKER, "Send codes, end sessions and put events after the answer")
        grant(worker, actions.of_worker(runtime))
        self.worker = self._publish(worker)
        self.worker.add_event_source(_read(self.queue.queue, CODES_PER_SECOND))
        self.worker.add_event_source(_read(self.queue.support, SUPPORT_TASKS_PER_SECOND))

        operations = {operation.id: alias for operation, alias in self.by_operation.items()}
        self.by_name = operations | {WORKER: self.worker}
        """The functions by name."""
        if settings.code_mails:
            self.by_name[CUSTOM_MESSAGE] = self._add_trigger(pool)
        self._acknowledge()

    def _acknowledge(self) -> None:
        for child in self.node.find_all():
            for kind, reasons in _FINDINGS.items():
                if isinstance(child, kind):
                    acknowledge(child, reasons)

    def _publish(self, function: lambda_.Function) -> lambda_.Alias:
        """Return the alias of a function: of a version, or of what is latest.

        A version is a snapshot, and CloudFormation takes another one only under another logical ID.
        The CDK derives it from the settings. A parameter of a template cannot change it.
        """
        if not self._parameters:
            return function.add_alias(ALIAS)
        latest = function.latest_version
        return lambda_.Alias(function, f"Alias{ALIAS}", alias_name=ALIAS, version=latest)

    def _add_trigger(self, pool: cognito.IUserPool) -> lambda_.Alias:
        """Add the function that writes messages. A pool made in this app can depend on it.

        So it reads nothing of the pool. `add_trigger`, which permits such a pool to call it, does
        not know an imported one.
        """
        function = self._add(CUSTOM_MESSAGE, "Write the messages in which Cognito sends codes")
        alias = self._publish(function)
        if not isinstance(pool.node.default_child, cognito.CfnUserPool):
            caller = iam.ServicePrincipal("cognito-idp.amazonaws.com")
            alias.add_permission("Cognito", principal=caller, source_arn=pool.user_pool_arn)
        return alias

    def _add(self, name: str, description: str) -> lambda_.Function:
        """Add a function with its own role and log group."""
        id_, settings = name.title().replace("_", ""), self._settings
        log_group = LogGroup(self, f"{id_}Logs", settings=settings)
        self.log_groups.append(log_group)
        role = iam.Role(self, f"{id_}Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        # RETAIN would also keep the version of a deployment that is rolled back, and the next
        # deployment of the same code could not publish it again.
        kept = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        versions = kept if settings.keep_versions else RemovalPolicy.DESTROY
        # A snapshot that was not used for two weeks is not ready at first: no code would be sent.
        restores = settings.snap_start and name != CUSTOM_MESSAGE
        # The worker needs as many as its event sources may start, and no more.
        reserved = {WORKER: CODES_PER_SECOND + SUPPORT_TASKS_PER_SECOND, CUSTOM_MESSAGE: None}
        most = reserved.get(name, settings.reserved_concurrency)
        return lambda_.Function(
            self,
            id_,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=self._code,
            handler=handler_name(name),
            environment=self._runtime.environment(names_read_by(name)),
            log_group=log_group,
            memory_size=MEMORIES.get(name, settings.memory_size),
            reserved_concurrent_executions=most if settings.reserved_concurrency else None,
            role=role,
            current_version_options=lambda_.VersionOptions(removal_policy=versions),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if restores else None,
            timeout=Duration.seconds(TIMEOUTS.get(name, TIMEOUT)),
            # The trigger may write logs and nothing else.
            tracing=None if name == CUSTOM_MESSAGE else lambda_.Tracing.ACTIVE,
        )

    def _make_pseudonym_key(self, settings: Deployment) -> str:
        """Return a reference that CloudFormation replaces with the key when it deploys."""
        key = secretsmanager.Secret(
            self,
            "PseudonymKey",
            description="The key of the hashes in the password service's logs and table",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=removal_policy(settings),  # without it, retained logs are unreadable
        )
        acknowledge(key, {"SMG4": "A new key would make users in old log lines unrecognisable"})
        return key.secret_value.unsafe_unwrap()


def _read(queue: sqs.IQueue, most: int) -> sources.SqsEventSource:
    """Have a queue call the worker, with a message at a time, so that none waits for another."""
    return sources.SqsEventSource(
        queue, batch_size=1, max_concurrency=most, report_batch_item_failures=True
    )


def _grant_mail(function: lambda_.Function, settings: Deployment) -> None:
    """Allow a function to send mails from one address, with its identity or that of its domain."""
    # The address may be known only to CloudFormation, and the one of a parameter may be empty.
    stack, domain = Stack.of(function), Fn.select(1, Fn.split("@", f"{settings.mail_from}@"))
    # SES looks at the identity of the address if there is one, and at the domain's default set.
    names = [("identity", domain), ("identity", settings.mail_from), ("configuration-set", "*")]
    arns = [stack.format_arn(service="ses", resource=r, resource_name=n) for r, n in names]
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=["ses:SendEmail"],
            resources=arns,
            conditions={"StringEquals": {"ses:FromAddress": settings.mail_from}},
        )
    )
