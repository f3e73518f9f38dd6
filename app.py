"""The CDK app that `cdk.json` names. It needs neither AWS, git nor the clock."""

import sys

from aws_cdk import App

from infra.settings import read_context
from infra.stack import PasswordServiceStack
from local.emulated import EmulatedStack

app = App()
try:
    settings = read_context(app.node.get_all_context())
except ValueError as error:
    sys.exit(str(error))
kind = EmulatedStack if settings.stage == "local" else PasswordServiceStack
kind(app, f"password-service-{settings.stage}", settings=settings)
app.synth()
