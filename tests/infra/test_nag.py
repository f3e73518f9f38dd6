"""cdk-nag finds nothing that is not acknowledged, in whichever version is installed: 2 or 3."""

from pathlib import Path
from typing import Any

import aws_cdk
import cdk_nag
import pytest
from aws_cdk import App, Aspects

from infra.settings import STAGES
from tests.infra.conftest import everything, make_app, make_stack
from tests.infra.test_service import add_service

HAS_ASPECTS = hasattr(cdk_nag, "NagSuppressions")
"""Version 2, which writes what it finds into the assembly. Version 3 ends the synthesis."""


def check(app: App) -> None:
    """Synthesize with cdk-nag, and raise an error that names what it finds."""
    if not HAS_ASPECTS:
        aws_cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
        app.synth()
        return
    Aspects.of(app).add(cdk_nag.AwsSolutionsChecks(reports=False))  # type: ignore[call-arg, arg-type]
    told = [m for stack in app.synth().stacks for m in stack.messages if m.level.name != "INFO"]
    found = [
        f"{one.id}: {one.entry.data}" for one in told if "AwsSolutions-" in str(one.entry.data)
    ]
    if found:
        raise RuntimeError("\n".join(["ValidationFailed", *found]))


@pytest.mark.parametrize(
    "settings", [*map(everything, STAGES), {"stage": "prod", "firewall": "off"}]
)
def test_it_and_the_cdk_find_nothing_in_a_stage_that_is_not_acknowledged(
    settings: dict[str, str], tmp_path: Path
) -> None:
    app = make_app(str(tmp_path), validates=True, **settings)
    make_stack(app)

    check(app)


EVERYTHING: dict[str, Any] = {
    "mail_from": "no-reply@example.com",
    "alarm_email": "ops@example.com",
    "cloud_watch_role": True,
    "server_callers": ["web"],
    "snap_start": True,
}


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("settings", [{}, EVERYTHING, {"defaults": "dev", "firewall": "off"}])
def test_it_finds_nothing_of_the_construct_in_an_app_of_somebody_else(
    settings: dict[str, Any], flag: bool, tmp_path: Path
) -> None:
    """With another flag, grants to a function become policies of their own."""
    app = App(
        outdir=str(tmp_path),
        context={
            "@aws-cdk/aws-lambda:createNewPoliciesWithAddToRolePolicy": flag,
            "aws:cdk:disable-asset-staging": True,
        },
    )
    add_service(aws_cdk.Stack(app, "Shop"), **settings)

    check(app)


def test_without_the_firewall_somebody_must_say_why(tmp_path: Path) -> None:
    app = make_app(str(tmp_path), stage="prod")
    service = make_stack(app).node.find_child("Default")
    service.node.find_child("Firewall").node.try_remove_child("Association")

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        check(app)
