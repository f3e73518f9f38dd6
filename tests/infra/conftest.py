"""Each stage, synthesized once, and a copy of the tree, built once."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import botocore.session
import pytest
from aws_cdk import App, assertions

from functions.settings import STAGES, Settings
from infra.packaging.bundle import build
from infra.stack import PasswordServiceStack
from tests.support import ROOT

type Resources = dict[str, dict[str, Any]]
type Find = Callable[[str], list[dict[str, Any]]]


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
        context=context(**needed | settings),
        builtin_cloud_formation_validation=validates,
    )


def make_stack(app: App) -> PasswordServiceStack:
    """The app of `app.py`."""
    settings = Settings.from_context(app.node.get_all_context())
    return PasswordServiceStack(app, f"password-service-{settings.stage}", settings=settings)


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


def copy_old(target: Path, *names: str) -> None:
    """Copy folders of the tree, with the modification times of another age."""
    for name in names:
        shutil.copytree(ROOT / name, target / name)
    for path in target.rglob("*"):
        os.utime(path, (1, 1))


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree where nothing has been built."""
    copy = tmp_path_factory.mktemp("copy")
    copy_old(copy, "functions", "infra")
    shutil.copy(ROOT / "app.py", copy)
    (copy / "functions" / "notes.swp").write_text("what an editor leaves")
    build(copy)
    return copy


@pytest.fixture(scope="session")
def packages(copy: Path) -> Path:
    """The packages of the functions as they were installed, to be read alone."""
    (packages,) = (copy / ".build").glob("packages-*")
    return packages
