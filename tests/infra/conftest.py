"""Each combination of settings, synthesized once."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import botocore.session
import pytest
from aws_cdk import App, Stack

from functions.operations import handler_name
from infra.settings import STAGES, read_context
from infra.stack import PasswordServiceStack
from local.emulated import EmulatedStack
from tests.support import ROOT

type Find = Callable[[str], list[dict[str, Any]]]

VALIDATES = "@aws-cdk/core:validateAgainstDefaultRules"
"""The flag of the CDK's own validation."""
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/6c0b5b3a"
DOMAIN = {"domainName": "passwords.example", "certificateArn": CERTIFICATE}
IMPORTED = {"userPoolId": "eu-west-1_Imported0", "userPoolClientId": "the-imported-client"}


def read(text: str) -> dict[str, str]:
    """The settings of `name=value name=value`."""
    return dict(pair.split("=", 1) for pair in text.split())


# Settings that do not depend on each other share a stack, because a synthesis takes a second.
OTHER_PROD = DOMAIN | read(
    "stage=prod firewall=count canary=false keepVersions=false alarmEmail=ops@example.com"
    " resetsPerMinute=7 cloudWatchRole=false threatProtection=true limits=false"
    " hostedZoneId=Z0123456789"
)
"""Production with other choices, its alarms mailed, at a name with a zone."""
OTHER_DEV = DOMAIN | read(
    "stage=dev firewall=off canary=true keepVersions=true snapStart=true memorySize=256"
    " reservedConcurrency=25"
    " events=false resendInvitations=true allowedOrigins=https://app.example responseInterval=0.5"
    " breachEndpoint= updatePasswordAttempts=20 ipv6NetworkPrefix=40 revealUserExistence=true"
)
"""Development with other choices and without events, at a name whose zone is elsewhere."""
MAILS = IMPORTED | read(
    "stage=dev mailFrom=no-reply@example.com mailConfigurationSet=passwords"
    " allowedOrigins=https://app.example,https://b.example,capacitor://localhost"
    " breachEndpoint=https://range.example allowedClientIds=web,mobile"
)
"""Development that sends mails, for a pool that exists."""


def everything(name: str) -> dict[str, str]:
    """The stage, with the settings that add resources; `local` has no alarms."""
    more = {"alarmEmail": "ops@example.com", "poolFirewall": "count"}
    only_on_aws = {} if name == "local" else more
    return {"stage": name, "hostedZoneId": "Z0123456789"} | DOMAIN | only_on_aws


def context(**settings: Any) -> dict[str, Any]:
    """The context of `cdk.json`, whose feature flags change templates, and the settings."""
    flags: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    # Nobody needs a copy of the asset: the template has only its hash.
    return flags | {"aws:cdk:disable-asset-staging": True} | settings


def make_app(folder: str, *, validates: bool = False, **settings: Any) -> App:
    """An app as the CDK CLI starts it. Few tests let it validate templates, which takes seconds."""
    needed = {"mailFrom": "no-reply@example.com"} if settings.get("stage") == "prod" else {}
    return App(
        outdir=folder,
        context=context(**needed | settings) | {VALIDATES: validates},
        # These change no template, and cost a third of a synthesis.
        stack_traces=False,
        tree_metadata=False,
    )


def make_stack(app: App) -> PasswordServiceStack:
    """The app of `app.py`."""
    settings = read_context(app.node.get_all_context())
    kind = EmulatedStack if settings.stage == "local" else PasswordServiceStack
    return kind(app, f"password-service-{settings.stage}", settings=settings)


@cache
def synthesize(**settings: Any) -> dict[str, Any]:
    """The template of the stack with these settings, which all tests share and none changes."""
    with TemporaryDirectory() as folder:
        app = make_app(folder, **settings)
        return read_template(app, make_stack(app))


def read_template(app: App, stack: Stack) -> dict[str, Any]:
    """The template of one stack of an app."""
    template = Path(app.synth().directory) / stack.template_file
    return dict(json.loads(template.read_text()))


def synthesize_stage(name: str) -> dict[str, Any]:
    return synthesize(stage=name)


@pytest.fixture(params=STAGES)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every stage in turn."""
    return synthesize_stage(request.param)


@pytest.fixture
def find(template: Mapping[str, Any]) -> Find:
    """The properties of all resources of a type."""

    def properties(resource_type: str) -> list[dict[str, Any]]:
        return find_in(template, resource_type)

    return properties


def find_in(template: Mapping[str, Any], resource_type: str) -> list[dict[str, Any]]:
    return [
        resource.get("Properties", {})
        for resource in template["Resources"].values()
        if resource["Type"] == resource_type
    ]


def name_of(template: Mapping[str, Any], resource_type: str) -> str:
    """The logical id of the only resource of a type."""
    (name,) = (n for n, r in template["Resources"].items() if r["Type"] == resource_type)
    return str(name)


def variables(template: Mapping[str, Any], function: str = "confirm_reset_password") -> Any:
    """The environment of a function."""
    return handler_in(template, function)["Environment"]["Variables"]


def functions_in(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The properties of the functions that have the bundle."""
    found = find_in(template, "AWS::Lambda::Function")
    return [function for function in found if "S3Key" in function["Code"]]


def handler_in(template: Mapping[str, Any], function: str) -> dict[str, Any]:
    """The properties of a function."""
    handler = handler_name(function)
    (found,) = (one for one in functions_in(template) if one["Handler"] == handler)
    return found


def allowed_values(service: str, shape: str) -> list[str]:
    """The values of a member of AWS's API, by botocore's model."""
    model = botocore.session.get_session().get_service_model(service).shape_for(shape)
    return list(model.enum)  # type: ignore[attr-defined]  # a shape of strings has them
