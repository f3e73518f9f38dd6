"""A stage of our own: a pool for tests, or an imported one, and the service."""

from aws_cdk import CfnOutput, Stack, Tags
from constructs import Construct

from functions.records import SERVICE
from functions.settings import Settings
from infra.service import PasswordService
from infra.user_pool import UserPool


class PasswordServiceStack(Stack):
    """Deployable to any account, and to any region with user pools: it looks nothing up."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        tags = {"service": SERVICE, "stage": settings.stage}
        super().__init__(
            scope, id_, description=f"Password service, stage {settings.stage}", tags=tags
        )
        for name, value in tags.items():  # of the resources, beside those of the stack itself
            Tags.of(self).add(name, value)
        user_pool = UserPool(self, "UserPool", settings=settings)
        public = (user_pool.public_client_id,) if user_pool.public_client_id else ()
        chosen = settings.replace(
            allowed_client_ids=(*public, *settings.allowed_client_ids),
            # Whether an imported pool ignores case is not known here. Cognito itself knows.
            lower_case_usernames=not user_pool.imported,
        )
        service = PasswordService(
            self,
            "Default",  # which logical ids leave out
            user_pool=user_pool.pool,
            user_pool_client=user_pool.client,
            stage=settings.stage,
            name=settings.stage,
            **chosen.arguments(),
        )
        CfnOutput(self, "ApiUrl", value=service.url)
        if service.domain:
            CfnOutput(self, "DomainTarget", value=service.domain.target)
        CfnOutput(self, "UserPoolId", value=user_pool.pool.user_pool_id)
        CfnOutput(self, "UserPoolClientId", value=user_pool.client.user_pool_client_id)
        if user_pool.public_client_id:
            CfnOutput(self, "PublicClientId", value=user_pool.public_client_id)
        if service.event_bus:
            CfnOutput(self, "EventBusName", value=service.event_bus.event_bus_name)
