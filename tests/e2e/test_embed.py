"""The example with the wheel, deployed beside the stack that has the pool."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.operations import Operation
from local import emulator
from local.processes import ROOT
from local.stack import Stack, User
from release.__main__ import build_wheel
from tests.e2e.conftest import NEW, Api
from tests.e2e.test_story import THIRD, confirm

CHOSEN = {"breach_endpoint": "", "firewall": "off", "stage": "dev"}  # which leaves nothing behind
UNEMULATED = (
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::SQS::QueuePolicy",  # which requires TLS
)
"""Resources that the emulator lacks. No argument of the construct leaves them out."""


@pytest.fixture
def embedded(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """The stack of the example, whose API is another one for the same pool."""
    _ = stack.queue  # found while it is the only one
    run = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    build_wheel(tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").iterdir()
    subprocess.run([*run, "--no-deps", "--no-index", "-t", tmp_path / "lib", wheel], check=True)
    variables = emulator.environment(stack.endpoint) | {
        "CDK_CONTEXT_JSON": json.dumps(
            {
                "userPoolId": stack.user_pool_id,
                "userPoolClientId": stack.user_pool_client_id,
                "passwords": CHOSEN,
            }
        ),
        "CDK_OUTDIR": str(tmp_path / "cdk.out"),
        "CDK_VALIDATION": "false",
        "JSII_NODE": os.environ["JSII_NODE"],
        "PYTHONPATH": str(tmp_path / "lib"),
    }
    subprocess.run(
        [sys.executable, "-P", ROOT / "examples/embed/app.py"],
        cwd=tmp_path,
        env=variables,
        check=True,
    )
    template = tmp_path / "cdk.out/Shop.template.json"
    whole = json.loads(template.read_text())
    resources = whole["Resources"].items()
    kept = {name: one for name, one in resources if one["Type"] not in UNEMULATED}
    template.write_text(json.dumps(whole | {"Resources": kept}))
    subprocess.run(
        [
            ROOT / "node_modules/.bin/cdk",
            *("deploy", "Shop", "--app", tmp_path / "cdk.out", "--method", "direct"),
            *("--require-approval", "never", "--no-notices"),
            *("--outputs-file", tmp_path / "outputs.json"),
        ],
        cwd=tmp_path,
        env=variables | {"CDK_HOME": str(tmp_path), "NO_COLOR": "1"},
        check=True,
    )
    outputs = json.loads((tmp_path / "outputs.json").read_text())["Shop"]
    found = re.search(r"//(\w+)\.[^/]+/(\w+)/", outputs["PasswordsUrl"])
    assert found
    yield Stack(
        url=f"{stack.endpoint}/_aws/execute-api/{found[1]}/{found[2]}",
        endpoint=stack.endpoint,
        user_pool_id=stack.user_pool_id,
        user_pool_client_id=stack.user_pool_client_id,
        public_client_id=stack.public_client_id,
    )
    stack.client("cloudformation").delete_stack(StackName="Shop")


def test_the_wheel_alone_adds_the_service_to_another_app(
    embedded: Stack, stack: Stack, user: User
) -> None:
    api = Api(embedded, "198.19.0.1")
    username = {"username": user.username}

    assert api.post(Operation.RESET_PASSWORD, username).status == 200
    deadline = time.monotonic() + 20
    while not (code := stack.code(user.username)):
        assert time.monotonic() < deadline, "The embedded worker sent no code."
    confirmed = api.post(Operation.CONFIRM_RESET_PASSWORD, confirm(user, code, NEW))
    assert (confirmed.status, confirmed.text) == (204, "")
    token = stack.sign_in(User(user.username, NEW))["AccessToken"]
    change = {"oldPassword": NEW, "newPassword": THIRD}
    updated = api.post(Operation.UPDATE_PASSWORD, change, token=token)

    assert (updated.status, updated.text) == (204, "")
    assert stack.sign_in(User(user.username, THIRD))
