"""The CDK app; `cdk.json` names it. It asks neither AWS, git nor the clock for anything."""

import os
from pathlib import Path

# Importing the CDK starts jsii, which reads these: Node 20 is old enough for a banner, and its
# cache of 200 MB belongs into this folder, where `make clean` removes it.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
os.environ.setdefault(
    "JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(__file__).parent.resolve() / ".local" / "jsii")
)

from aws_cdk import App

from infra.settings import read_stage
from infra.stack import PasswordService

app = App()
stage = read_stage(app.node.get_all_context())
PasswordService(app, f"password-service-{stage.name}", stage=stage)
app.synth()
