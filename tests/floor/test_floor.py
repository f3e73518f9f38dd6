"""The construct works with the oldest Python and CDK that the wheel allows, and with cdk-nag 2."""

import os
import re
import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.packaging.bundle import find_code
from local.install import FLOOR
from release.__main__ import build_wheel
from tests.support import ROOT

OLD, NEW = FLOOR / "bin" / "python", Path(sys.executable)
LOCK = (ROOT / "tests/floor/requirements.txt").read_text()
PACKAGES = ("aws-cdk-lib", "constructs")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
NAG = "tests/infra/test_nag.py"
CONSTRUCT = [f"tests/infra/test_{name}.py" for name in ("domain", "firewall", "service")]
NOT_COPIED = shutil.ignore_patterns(".*", "node_modules", "cdk.out", "dist")


def run(python: Path, folder: Path, *arguments: str, **variables: str) -> str:
    """Run a Python in a folder, and return what it printed."""
    done = subprocess.run(
        [python, *arguments],
        cwd=folder,
        env={name: os.environ[name] for name in ("PATH", "JSII_NODE")} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests with the functions' code, as the wheel has it: adopters build none."""
    copy = tmp_path_factory.mktemp("floor") / "copy"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    shutil.copy(find_code(), copy / "infra" / "packaging" / "functions.zip")
    return copy


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    build_wheel(folder)
    (wheel,) = folder.iterdir()
    with ZipFile(wheel) as archived:
        archived.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_allows_what_is_tested_and_nothing_older(site: Path) -> None:
    (metadata,) = site.glob("*.dist-info/METADATA")
    headers = message_from_bytes(metadata.read_bytes())
    required = headers.get_all("Requires-Dist", [])

    running = run(OLD, site, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    assert headers["Requires-Python"] == f">={running}"
    for name in PACKAGES:
        (version,) = re.findall(rf"^{name}==(\S+)", LOCK, re.MULTILINE)
        assert [one for one in required if one.startswith(name) and one.endswith(f">={version}")]


def test_the_tests_of_the_construct_pass_with_the_oldest(copy: Path) -> None:
    """An input that the oldest CDK does not know would be ignored without a word."""
    run(OLD, copy, *PYTEST, *CONSTRUCT, NAG)


def test_cdk_nag_2_finds_no_more_with_the_newest_cdk(copy: Path, tmp_path: Path) -> None:
    (package,) = FLOOR.glob("lib/python*/site-packages/cdk_nag")
    (tmp_path / "cdk_nag").symlink_to(package)
    path = str(tmp_path)
    assert "NagSuppressions" in run(
        NEW, copy, "-c", "import cdk_nag; print(dir(cdk_nag))", PYTHONPATH=path
    )

    run(NEW, copy, *PYTEST, NAG, PYTHONPATH=path)


def test_the_page_of_the_wheel_shows_an_app_that_is_synthesized_with_the_oldest(
    site: Path, tmp_path: Path
) -> None:
    page = (ROOT / "release/pypi.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    run(OLD, tmp_path, "-c", program, PYTHONPATH=str(site), CDK_OUTDIR="cdk.out")

    assert "AWS::ApiGateway::RestApi" in (tmp_path / "cdk.out/Shop.template.json").read_text()


def test_the_verification_of_the_wheel_starts_with_the_oldest(site: Path) -> None:
    module = "cognito_password_service.verification"
    assert "--construct" in run(OLD, site, "-P", "-m", module, "--help", PYTHONPATH=str(site))
