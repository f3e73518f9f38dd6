"""The bundle is small, always the same, and complete for what the functions ask."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from functions.operations import WORKER_ACTIONS, Operation
from infra.packaging.bundle import archive, build
from infra.packaging.slimming import ACTIONS, IMPORTS, slim
from tests.infra.conftest import find_in, synthesize

MAX_ZIP = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def bundle() -> Path:
    return build()


def test_the_models_hold_the_actions_of_the_operations_and_no_other(bundle: Path) -> None:
    for service, actions in ACTIONS.items():
        (model,) = (bundle / "botocore/data" / service).glob("*/service-2.json")

        assert json.loads(model.read_text())["operations"].keys() == actions
    used = {action for one in Operation for action in one.actions(revealed=True)}
    assert used | set(WORKER_ACTIONS) == ACTIONS["cognito-idp"]


def test_the_zip_is_small(bundle: Path, packages: Path) -> None:
    size = archive(bundle).stat().st_size

    assert size <= MAX_ZIP
    assert size <= archive(packages).stat().st_size / 5


def test_the_sdk_is_in_the_bundle_only_if_it_is_wanted(bundle: Path) -> None:
    assert not (bundle / "aws_xray_sdk").exists()
    assert (build(xray_sdk=True) / "aws_xray_sdk").is_dir()


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_function_knows_which_tracing_its_bundle_has(value: str) -> None:
    for function in find_in(synthesize(stage="dev", xraySdk=value), "AWS::Lambda::Function"):
        assert function["Environment"]["Variables"]["XRAY_SDK"] == value


def test_every_function_of_ours_has_the_chosen_memory() -> None:
    for function in find_in(synthesize(stage="dev", memorySize="256"), "AWS::Lambda::Function"):
        assert function["MemorySize"] == 256


@pytest.mark.parametrize(("value", "expected"), [("true", "PublishedVersions"), ("false", None)])
def test_snapshots_are_a_choice(value: str, expected: str | None) -> None:
    for function in find_in(synthesize(stage="dev", snapStart=value), "AWS::Lambda::Function"):
        assert function.get("SnapStart", {}).get("ApplyOn") == expected


def test_a_store_without_amazons_certificates_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "botocore").mkdir()
    (tmp_path / "functions").mkdir()
    (tmp_path / "botocore/cacert.pem").write_text('# Label: "Another Root CA"\n')

    with pytest.raises(SystemExit, match="no longer names Amazon's certificates"):
        slim(tmp_path, xray_sdk=False)


def test_a_line_that_is_not_there_to_be_replaced_is_noticed(packages: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(packages, tmp_path / "changed")
    (changed / "functions").mkdir()
    (changed / "urllib3/http2/__init__.py").write_text("import importlib.metadata\n")

    with pytest.raises(SystemExit, match=r"http2/__init__\.py no longer has the line 'from import"):
        slim(changed, xray_sdk=False)


def test_lines_are_replaced_in_the_bundle_and_not_in_what_others_are_made_of(
    bundle: Path,
) -> None:
    for module, lines in IMPORTS.items():
        for line, replacement in lines.items():
            text = (bundle / module).read_text().splitlines()

            assert line not in text
            assert replacement in text
            for packages in bundle.parent.glob("packages-*"):
                assert line in (packages / module).read_text().splitlines()


def test_the_bundle_is_compiled_by_the_python_that_runs_it(bundle: Path) -> None:
    compiled = list((bundle / "functions").rglob("*.pyc"))

    assert sys.version_info[:2] == (3, 13)
    assert compiled
    assert all(".cpython-313." in path.name for path in compiled)


def test_the_zip_unpacks_to_the_bundle(bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zipfile", "-e", str(archive(bundle)), str(tmp_path)]
    subprocess.run(command, check=True)

    names = {str(p.relative_to(bundle)) for p in bundle.rglob("*") if p.is_file()}
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == names
