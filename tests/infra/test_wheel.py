"""The wheel alone makes the service part of another CDK app."""

import json
import os
import re
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from infra.packaging.bundle import ROOT, find_code
from release.__main__ import build_wheel, list_parts

APP = ROOT / "examples" / "embed" / "app.py"
POOL = {"userPoolId": "eu-west-1_Theirs000", "userPoolClientId": "theirs"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build_wheel(folder)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """A folder with the wheel; the CDK is that of the tests."""
    folder = wheel.parent / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--target", folder, wheel], check=True)
    return folder


def synthesize(
    installed: Path, folder: Path, passwords: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run the example beside nothing of this repository, and with no tool but Node."""
    return subprocess.run(
        [sys.executable, "-P", APP],
        cwd=folder,
        env={
            "CDK_CONTEXT_JSON": json.dumps(POOL | {"passwords": passwords}),
            "CDK_OUTDIR": str(folder / "cdk.out"),
            "JSII_NODE": os.environ["JSII_NODE"],
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(installed),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_is_the_same_to_the_byte_when_it_is_built_again(
    wheel: Path, tmp_path: Path
) -> None:
    build_wheel(tmp_path)

    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_wheel_has_one_package_its_types_its_licence_and_the_floor_of_the_cdk(
    wheel: Path,
) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        headers = message_from_bytes(archive.read(metadata))
        code = archive.read("cognito_password_service/infra/packaging/functions.zip")

    pinned = (ROOT / "requirements.txt").read_text().partition("\naws-cdk-lib==")[2].split()[0]
    assert {name.split("/")[0] for name in names} == {
        "cognito_password_service",
        f"cognito_password_service-{headers['Version']}.dist-info",
    }
    assert "cognito_password_service/py.typed" in names
    assert headers["License-Expression"] == "Apache-2.0"
    assert headers["License-File"] == "LICENSE"
    assert f"aws-cdk-lib<3,>={pinned}" in headers.get_all("Requires-Dist", [])
    assert code == find_code(xray_sdk=False).read_bytes()


def test_the_bill_of_materials_names_what_is_locked(tmp_path: Path) -> None:
    list_parts(tmp_path)

    listed = json.loads((tmp_path / "sbom.json").read_text())
    locked = (ROOT / "functions/requirements.txt").read_text()
    names = {f"{one['name']}=={one['version']}" for one in listed["components"]}
    assert names == set(re.findall(r"^[\w-]+==[\w.]+", locked, re.MULTILINE))


def test_a_foreign_app_is_synthesized_with_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    done = synthesize(installed, tmp_path, {"mail_from": "no-reply@example.com"})

    assert (done.returncode, done.stderr) == (0, "")
    (template,) = (tmp_path / "cdk.out").glob("*.template.json")
    resources = json.loads(template.read_text())["Resources"]
    assert "eu-west-1_Theirs000" in json.dumps(resources)
    (zipped,) = (tmp_path / "cdk.out").glob("asset.*.zip")
    assert zipped.read_bytes() == find_code(xray_sdk=False).read_bytes()


def test_a_wrong_setting_ends_the_foreign_app_with_one_sentence(
    installed: Path, tmp_path: Path
) -> None:
    done = synthesize(installed, tmp_path, {"mail_from": "example.com"})

    assert done.returncode == 1
    assert done.stderr == "mail_from must be like no-reply@example.com, not 'example.com'.\n"
