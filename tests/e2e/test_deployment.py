"""What the CDK CLI does with a stack that is already deployed."""

import subprocess
from pathlib import Path

from local import emulator
from local.deployment import STACK
from local.processes import ROOT
from local.stack import Stack


def test_a_second_deployment_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    function, *_ = stack.client("lambda").list_functions()["Functions"]
    breach_endpoint = function["Environment"]["Variables"]["BREACH_ENDPOINT"]

    # Staged assets have other paths in the metadata than those of the first deployment.
    deployed = subprocess.run(
        [
            ROOT / "node_modules/.bin/cdk",
            *("deploy", STACK, "--method", "direct", "--require-approval", "never"),
            *("--no-notices", "--no-staging", "--output", tmp_path / "cdk.out"),
            *("--context", "stage=local", "--context", f"breachEndpoint={breach_endpoint}"),
        ],
        cwd=ROOT,
        env=emulator.environment(stack.endpoint)
        | {"CDK_HOME": str(tmp_path), "CDK_VALIDATION": "false", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        # Where the CDK CLI says it depends on the variable CI.
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )

    assert f"{STACK} (no changes)" in deployed.stdout
