"""The secrets of servers that call for their users."""

from aws_cdk import CfnOutput
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from functions.operations import SERVER_HEADER
from infra.acknowledgments import acknowledge
from infra.settings import Deployment


class ServerCallers(Construct):
    """A secret for each name, so that one can replace another without a gap."""

    def __init__(self, scope: Construct, id_: str, *, settings: Deployment) -> None:
        super().__init__(scope, id_)
        made = [self._make(name) for name in settings.server_callers]
        self.secrets = dict(zip(("server_secret", "next_server_secret"), made, strict=False))
        """The settings of the functions that have them."""

    def _make(self, name: str) -> str:
        """Return a reference that CloudFormation replaces with the secret when it deploys."""
        secret = secretsmanager.Secret(
            self,
            name,
            description=f"Send it in the header {SERVER_HEADER}, from your own server only",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
        )
        acknowledge(secret, {"SMG4": "Replaced by adding another name, then removing this one"})
        CfnOutput(secret, "Arn", value=secret.secret_arn)
        return secret.secret_value.unsafe_unwrap()
