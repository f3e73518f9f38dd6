"""The whole service; this file only wires."""

from aws_cdk import CfnOutput, Stack
from aws_cdk.aws_events import EventBus
from constructs import Construct

from infra.api import Api
from infra.functions import Functions
from infra.observability import Observability
from infra.settings import Stage
from infra.table import Table
from infra.user_pool import UserPool


class PasswordService(Stack):
    """Deployable to any account and region: it looks nothing up."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_, description=f"Password service, stage {stage.name}")
        user_pool = UserPool(self, "UserPool", stage=stage)
        table = Table(self, "Table")
        event_bus = EventBus(self, "Events") if stage.events else None
        functions = Functions(
            self,
            "Functions",
            stage=stage,
            user_pool=user_pool,
            table=table.table,
            event_bus=event_bus,
        )
        api = Api(self, "Api", stage=stage, pool=user_pool.pool, functions=functions.by_operation)
        if stage.alarms:
            Observability(self, "Observability")
        CfnOutput(self, "ApiUrl", value=api.rest_api.url)
        CfnOutput(self, "UserPoolId", value=user_pool.pool.user_pool_id)
        CfnOutput(self, "UserPoolClientId", value=user_pool.client_id)
        if event_bus:
            CfnOutput(self, "EventBusName", value=event_bus.event_bus_name)
