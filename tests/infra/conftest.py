"""Each stage, synthesized once."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any

import botocore.session
import pytest
from aws_cdk import App, assertions

from functions.settings import STAGES, Settings
from infra.stack import PasswordService
from tests.support import ROOT

type Resources = dict[str, dict[str, Any]]
type Find = Callable[[str], list[dict[str, Any]]]


def make_app(folder: str, **settings: Any) -> App:
    """An app with the context of `cdk.json`, whose feature flags change the templates."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    # The template contains only the asset's hash, so the asset is not copied to the folder.
    unstaged = {"aws:cdk:disable-asset-staging": True}
    needed = {"mailFrom": "no-reply@example.com"} if settings.get("stage") == "prod" else {}
    return App(outdir=folder, context=context | unstaged | needed | settings)


def make_stack(app: App) -> PasswordService:
    """What `app.py` makes."""
    settings = Settings.from_context(app.node.get_all_context())
    return PasswordService(app, f"password-service-{settings.stage}", settings=settings)


def synthesize(**settings: Any) -> dict[str, Any]:
    """The template of the stack with these settings."""
    with TemporaryDirectory() as folder:
        stack = make_stack(make_app(folder, **settings))
        return dict(deepcopy(assertions.Template.from_stack(stack).to_json()))


@cache
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


def allowed_values(service: str, shape: str) -> list[str]:
    """What a member of AWS's API can be, as botocore's model has it."""
    model = botocore.session.get_session().get_service_model(service).shape_for(shape)
    return list(model.enum)  # type: ignore[attr-defined]  # a shape of strings has them
