"""The CDK app; `cdk.json` names it. It asks neither AWS, git nor the clock for anything."""

from aws_cdk import App

from infra.settings import read_stage
from infra.stack import PasswordService

app = App()
stage = read_stage(app.node.get_all_context())
PasswordService(app, f"password-service-{stage.name}", stage=stage)
app.synth()
