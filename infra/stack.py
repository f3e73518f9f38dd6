"""The whole service; this file only wires."""

from aws_cdk import CfnOutput, Stack, Tags
from aws_cdk.aws_events import EventBus
from constructs import Construct

from functions.settings import FirewallMode, Settings
from functions.telemetry.metrics import SERVICE
from infra.api import Api
from infra.deployments import Deployments
from infra.domain import Domain
from infra.firewall import Firewall
from infra.functions import Functions
from infra.observability import Observability
from infra.queries import Queries
from infra.table import Table
from infra.user_pool import UserPool


class PasswordService(Stack):
    """Deployable to any account, and to any region with user pools: it looks nothing up."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        tags = {"service": SERVICE, "stage": settings.stage}
        super().__init__(
            scope, id_, description=f"Password service, stage {settings.stage}", tags=tags
        )
        for name, value in tags.items():  # of the resources, beside those of the stack itself
            Tags.of(self).add(name, value)
        user_pool = UserPool(self, "UserPool", settings=settings)
        table = Table(self, "Table")
        event_bus = EventBus(self, "Events") if settings.events else None
        functions = Functions(
            self,
            "Functions",
            settings=settings,
            user_pool=user_pool,
            table=table.table,
            event_bus=event_bus,
        )
        api = Api(
            self, "Api", settings=settings, pool=user_pool.pool, functions=functions.by_operation
        )
        if settings.firewall is not FirewallMode.OFF:
            Firewall(self, "Firewall", settings=settings, api_stage=api.rest_api.deployment_stage)
        domain = (
            Domain(self, "Domain", settings=settings, api=api.rest_api)
            if settings.domain_name
            else None
        )
        if settings.observability:
            observability = Observability(
                self,
                "Observability",
                settings=settings,
                api=api,
                functions=functions.by_name,
                queue=functions.queue,
            )
            Queries(
                self,
                "Queries",
                settings=settings,
                functions=functions.log_groups,
                access=api.access_log,
            )
            if settings.canary:
                Deployments(
                    self,
                    "Deployments",
                    functions=functions.by_name,
                    alarms=observability.of_deployments,
                )
        CfnOutput(self, "ApiUrl", value=domain.url if domain else api.rest_api.url)
        if domain:
            CfnOutput(self, "DomainTarget", value=domain.target)
        CfnOutput(self, "UserPoolId", value=user_pool.pool.user_pool_id)
        CfnOutput(self, "UserPoolClientId", value=user_pool.client_id)
        if user_pool.public_client_id:
            CfnOutput(self, "PublicClientId", value=user_pool.public_client_id)
        if event_bus:
            CfnOutput(self, "EventBusName", value=event_bus.event_bus_name)
