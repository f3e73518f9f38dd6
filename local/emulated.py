"""The stack of the stage `local`, without what the emulator lacks, and with a way to sign in."""

from collections.abc import Sequence
from typing import Final, cast

from aws_cdk import CfnOutput
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from constructs import Construct

from functions.operations import Operation
from infra.acknowledgments import acknowledge
from infra.settings import Deployment
from infra.stack import PasswordServiceStack
from infra.user_pool import writable

LACKING: Final = {
    "canary": False,
    "domain_name": "",
    "firewall": "off",
    "pool_firewall": "off",
    "user_pool_client_id": "",
    "user_pool_id": "",
}
"""The settings that `cdk.json` may have for other stages, and that the emulator cannot follow."""


class EmulatedStack(PasswordServiceStack):
    """Deployable only to the emulator."""

    def __init__(self, scope: Construct, id_: str, *, settings: Deployment) -> None:
        super().__init__(scope, id_, settings=settings.replace(**LACKING, code_interval=0.0))
        # The emulator has no CodeDeploy and no metric arithmetic.
        for name in ("Observability", "Queries"):
            self.service.node.try_remove_child(name)
        access_logs = self.service.node.find_child("Api").node.find_child("AccessLogs")
        access_logs.node.try_remove_child("TooManyRequests")
        # It does not know the resource, and tracks no sessions.
        self.user_pool.node.try_remove_child("Sessions")
        # It remembers no earlier passwords, so no list of rules may name them.
        pool = cast("cognito.CfnUserPool", self.user_pool.pool.node.default_child)
        pool.add_property_deletion_override("Policies.PasswordPolicy.PasswordHistorySize")
        # It speaks no TLS.
        service = self.service
        for queue in (service.queue, service.support_queue, service.dead_letters):
            queue.node.try_remove_child("Policy")
            acknowledge(queue, {"SQS4": "The emulator speaks no TLS"})
        # It asks for a permission that IAM does not know: SendMessage allows a batch.
        for name in (operation.id for operation in Operation if operation.changes_password):
            self.service.queue.grant(self.service.functions[name], "sqs:SendMessageBatch")
        # It does not see which identity sends a mail.
        worker = self.service.functions["worker"]
        worker.add_to_role_policy(iam.PolicyStatement(actions=["ses:SendEmail"], resources=["*"]))

    def more_clients(self) -> Sequence[str]:
        """Let Amplify and tools sign users in: by a client without a secret, and as an admin.

        Anyone can use a client without a secret to call Cognito without this service.
        """
        own = cast("cognito.CfnUserPoolClient", self.user_pool.client.node.default_child)
        own.explicit_auth_flows = [
            *("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")
        ]
        public = self.user_pool.pool.add_client(
            "PublicClient",
            auth_flows=cognito.AuthFlow(user_srp=True),
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            disable_o_auth=True,
            write_attributes=writable(),
        )
        CfnOutput(self, "PublicClientId", value=public.user_pool_client_id)
        return [public.user_pool_client_id]
