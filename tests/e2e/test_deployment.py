"""The CDK CLI deploys the stack a second time, and the service in another app."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from functions.operations import FUNCTIONS
from local import emulator
from local.deployment import STACK
from local.processes import ROOT
from local.stack import Stack, User
from release.__main__ import build_wheel
from tests.e2e.client import CONFIRM, RESET, UPDATE
from tests.e2e.conftest import CONTEXT, NEW, Api
from tests.e2e.test_story import THIRD, confirm
from tests.support import wait_until
from verification import doctor, runner, story
from verification.runner import Outcome
from verification.stages import describe

CHOSEN = {
    "breach_endpoint": "",
    "firewall": "off",
    "defaults": "dev",
    "server_callers": ["web"],
}  # which leaves nothing behind
UNEMULATED = (
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::SQS::QueuePolicy",  # which requires TLS
)
"""Resources that the emulator lacks. No argument of the construct leaves them out."""


def deploy(stack: Stack, name: str, *options: str | Path, app: Path, home: Path) -> str:
    """Deploy a stack of the app in a folder, and return what the CDK CLI said."""
    command = ("deploy", name, "--method", "direct", "--require-approval", "never", *options)
    return run_cdk(stack, *command, app=app, home=home)


def run_cdk(stack: Stack, *command: str | Path, app: Path, home: Path) -> str:
    """Run the CDK CLI in a folder, and return what it said."""
    return subprocess.run(
        [ROOT / "node_modules/.bin/cdk", *command, "--no-notices"],
        cwd=app,
        env=emulator.environment(stack.endpoint, stack.key)
        | {"CDK_HOME": str(home), "CDK_VALIDATION": "false", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        # Where the CDK CLI says it depends on the variable CI.
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout


def test_a_second_deployment_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    function, *_ = stack.client("lambda").list_functions()["Functions"]
    breach_endpoint = function["Environment"]["Variables"]["BREACH_ENDPOINT"]

    context = CONTEXT | {"stage": "local", "breachEndpoint": breach_endpoint}
    # Staged assets have other paths in the metadata than those of the first deployment.
    said = deploy(
        stack,
        STACK,
        *("--no-staging", "--output", tmp_path / "cdk.out"),
        *(part for name, value in context.items() for part in ("--context", f"{name}={value}")),
        app=ROOT,
        home=tmp_path,
    )

    assert f"{STACK} (no changes)" in said


@pytest.fixture
def embedded(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """The stack of the example, whose API is another one for the same pool."""
    _ = stack.queue  # found while it is the only one
    run = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    build_wheel(tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").iterdir()
    subprocess.run([*run, "--no-deps", "--no-index", "-t", tmp_path / "lib", wheel], check=True)
    context = {
        "userPoolId": stack.user_pool_id,
        "userPoolClientId": stack.user_pool_client_id,
        "passwords": CHOSEN,
        "aws:cdk:enable-path-metadata": True,  # as the CDK's command line sets it
    }
    subprocess.run(
        [sys.executable, "-P", ROOT / "examples/embed/app.py"],
        cwd=tmp_path,
        env=emulator.environment(stack.endpoint, stack.key)
        | {
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_OUTDIR": str(tmp_path / "cdk.out"),
            "CDK_VALIDATION": "false",
            "JSII_NODE": os.environ["JSII_NODE"],
            "PYTHONPATH": str(tmp_path / "lib"),
        },
        check=True,
    )
    template = tmp_path / "cdk.out/Shop.template.json"
    whole = json.loads(template.read_text())
    resources = whole["Resources"].items()
    kept = {name: one for name, one in resources if one["Type"] not in UNEMULATED}
    template.write_text(json.dumps(whole | {"Resources": kept}))
    outputs = tmp_path / "outputs.json"
    options = ("--app", tmp_path / "cdk.out", "--outputs-file", outputs)
    deploy(stack, "Shop", *options, app=tmp_path, home=tmp_path)
    found = re.search(
        r"//(\w+)\.[^/]+/(\w+)$", json.loads(outputs.read_text())["Shop"]["PasswordsUrl"]
    )
    assert found
    url = f"{stack.endpoint}/_aws/execute-api/{found[1]}/{found[2]}"
    yield replace(stack, url=url)
    stack.client("cloudformation").delete_stack(StackName="Shop")


def test_the_wheel_alone_adds_the_service_to_another_app(
    embedded: Stack, stack: Stack, user: User, tmp_path: Path
) -> None:
    api = Api(embedded, "198.19.0.1")

    assert api.post(RESET, {"username": user.username}).status == 200
    wait_until(lambda: stack.code(user.username) is not None)
    confirmed = api.post(CONFIRM, confirm(user, stack.code(user.username) or "", NEW))
    assert (confirmed.status, confirmed.text) == (204, "")
    token = stack.sign_in(User(user.username, NEW))["AccessToken"]
    updated = api.post(UPDATE, {"oldPassword": NEW, "newPassword": THIRD}, token=token)

    assert (updated.status, updated.text) == (204, "")
    assert stack.sign_in(User(user.username, THIRD))
    # A request that names no address is refused only if the secret is the right one.
    for secret, status in ((find_server_secret(stack), 400), ("another", 200)):
        headers = {"Caller_Secret": secret, "Caller_Address": "nobody"}
        assert api.post(RESET, {"username": user.username}, **headers).status == status
    check_from_wheel(embedded, tmp_path)


def find_server_secret(stack: Stack) -> str:
    secrets = stack.client("secretsmanager")
    (arn,) = (
        one["ARN"]
        for one in secrets.list_secrets()["SecretList"]
        if "Caller-Secret" in one.get("Description", "")
    )
    value: str = secrets.get_secret_value(SecretId=arn)["SecretString"]
    return value


def check_from_wheel(embedded: Stack, folder: Path) -> None:
    """The wheel's own program finds the construct, with nothing of this repository nor of Node."""
    variables = {"JSII_NODE": "/nowhere", "PYTHONPATH": str(folder / "lib")}
    program = str(folder / "lib/bin/verify-password-service")
    command = [sys.executable, "-P", program, "--policy"]
    printed = subprocess.run(
        [*command, "--stack", "Shop", "--construct", "Shop/Passwords"],
        cwd=folder,
        env=emulator.environment(embedded.endpoint, embedded.key) | variables,
        check=False,
        capture_output=True,
        text=True,
    )
    assert printed.returncode == 0, printed.stderr
    named = {one["Sid"]: one["Resource"] for one in json.loads(printed.stdout)["Statement"]}
    assert len(named["Functions"]) == len(FUNCTIONS)
    assert named["Pool"][0].endswith(f"userpool/{embedded.user_pool_id}")
    assert "set the password of every user" in printed.stderr
    target = describe(embedded.client, "Shop", url=embedded.url)
    results = [*runner.run(target, [story.policy, doctor.throttles])]
    assert [one for one in results if one.finding.outcome is not Outcome.HOLDS] == []
