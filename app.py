"""The CDK app that `cdk.json` names. It needs neither AWS, git nor the clock."""

from aws_cdk import App

from functions.settings import Settings
from infra.stack import PasswordServiceStack

app = App()
settings = Settings.from_context(app.node.get_all_context())
PasswordServiceStack(app, f"password-service-{settings.stage}", settings=settings)
app.synth()
