"""A stage of our own: a pool for tests, or an imported one, and the service."""

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack, Tags
from constructs import Construct

from functions.operations import CUSTOM_MESSAGE
from functions.records import SERVICE
from infra.firewall import PoolFirewall
from infra.mails import Mails
from infra.service import Service
from infra.settings import Deployment
from infra.user_pool import UserPool


class PasswordServiceStack(Stack):
    """Deployable to any account, and to any region with user pools: it looks nothing up."""

    def __init__(self, scope: Construct, id_: str, *, settings: Deployment) -> None:
        tags = {"service": SERVICE, "stage": settings.stage}
        super().__init__(
            scope,
            id_,
            description=f"Password service, stage {settings.stage}",
            tags=tags,
            termination_protection=settings.retain_data,
        )
        self._exports = settings.export_outputs
        for name, value in tags.items():  # of the resources; those above are the stack's
            Tags.of(self).add(name, value)
        mails = Mails(self, "Mails") if settings.needs_configuration_set else None
        self.user_pool = UserPool(self, "UserPool", settings=settings, mails=mails)
        if settings.pool_firewall != "off":
            PoolFirewall(
                self,
                "PoolFirewall",
                user_pool=self.user_pool.pool,
                user_pool_client=self.user_pool.client,
                blocks=settings.pool_firewall == "block",
            )
        self.service = Service(
            self,
            "Default",  # which logical ids leave out
            user_pool=self.user_pool.pool,
            user_pool_client=self.user_pool.client,
            settings=settings.replace(
                allowed_client_ids=(*self.more_clients(), *settings.allowed_client_ids),
                # Whether an imported pool ignores case is not known here. Cognito itself knows.
                lower_case_usernames=not self.user_pool.imported,
            ),
            mails=mails,
        )
        if trigger := self.service.functions.get(CUSTOM_MESSAGE):
            self._output("CustomMessageArn", trigger.function_arn)
            if settings.mail_from and not self.user_pool.imported:
                self.user_pool.call(trigger)
        self._output("ApiUrl", self.service.url)
        if self.service.domain:
            self._output("DomainTarget", self.service.domain.target)
        self._output("UserPoolId", self.user_pool.pool.user_pool_id)
        self._output("UserPoolClientId", self.user_pool.client.user_pool_client_id)
        if self.service.event_bus:
            self._output("EventBusName", self.service.event_bus.event_bus_name)

    def _output(self, name: str, value: str) -> None:
        exported = f"{self.stack_name}-{name}" if self._exports else None
        CfnOutput(self, name, value=value, export_name=exported)

    def more_clients(self) -> Sequence[str]:
        """Return the ids of further app clients that a subclass adds to the pool."""
        return ()
