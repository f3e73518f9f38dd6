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

from functions.operations import FUNCTIONS, Operation
from local import emulator
from local.processes import ROOT
from local.stack import Stack, User
from release.__main__ import build_wheel
from tests.e2e.conftest import NEW, Api
from tests.e2e.test_story import THIRD, confirm
from verification import doctor, runner, story
from verification.runner import Outcome
from verification.stages import describe

UNEMULATED = {
    "breach_endpoint": "",
    "enforce_tls": False,
    "firewall": "off",
    "observability": False,
    "stage": "dev",  # which leaves nothing behind
}
"""Without what the emulator cannot do."""


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
                "passwords": UNEMULATED,
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
    embedded: Stack, stack: Stack, user: User, tmp_path: Path
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
    check_from_wheel(embedded, tmp_path)


def check_from_wheel(embedded: Stack, folder: Path) -> None:
    """The wheel's own verification finds the construct, with nothing of this repository."""
    variables = emulator.environment(embedded.endpoint) | {"PYTHONPATH": str(folder / "lib")}
    command = [sys.executable, "-P", "-m", "cognito_password_service.verification", "--policy"]
    printed = subprocess.run(
        [*command, "--stack", "Shop", "--construct", "Shop/Passwords"],
        cwd=folder,
        env=variables,
        check=True,
        capture_output=True,
        text=True,
    )
    named = {one["Sid"]: one["Resource"] for one in json.loads(printed.stdout)["Statement"]}
    assert len(named["Functions"]) == len(FUNCTIONS)
    assert named["Pool"][0].endswith(f"userpool/{embedded.user_pool_id}")
    assert "set the password of every user" in printed.stderr
    target = describe(embedded.client, "Shop", url=embedded.url)
    results = [*runner.run(target, [story.policy, doctor.throttles])]
    assert [one for one in results if one.finding.outcome is not Outcome.HOLDS] == []
