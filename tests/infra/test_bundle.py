"""A bundle holds exactly what is locked, no matter who builds it and when."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.packaging.bundle import ROOT, archive, build
from tests.infra.conftest import context, copy_old, synthesize_stage


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_what_is_installed_is_what_is_locked(packages: Path) -> None:
    requirements = ROOT / "functions/requirements.txt"
    locked = re.findall(r"^([\w-]+)==([\w.]+)", requirements.read_text(), re.MULTILINE)
    installed = {path.name for path in packages.glob("*.dist-info")}

    assert installed == {
        f"{name.replace('-', '_')}-{version}.dist-info" for name, version in locked
    }


def test_the_bundle_holds_the_functions_as_they_are() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "functions"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {
        name: content
        for name, content in contents(build()).items()
        if name.startswith("functions/") and name.endswith(".py")
    }

    assert ours == {name: (ROOT / name).read_bytes() for name in tracked if name.endswith(".py")}


@pytest.mark.parametrize("xray_sdk", [False, True])
def test_the_bundle_runs_on_any_processor(*, xray_sdk: bool) -> None:
    files = contents(build(xray_sdk=xray_sdk))

    assert any(name.startswith("aws_xray_sdk/") for name in files) == xray_sdk
    # What is compiled for a processor: a library of Linux.
    assert not [name for name, content in files.items() if content.startswith(b"\x7fELF")]


def test_two_builds_are_the_same_to_the_byte(copy: Path) -> None:
    first, second = build(), build(copy)

    assert second.name == first.name
    assert contents(second) == contents(first)
    assert archive(second).read_bytes() == archive(first).read_bytes()


def test_two_builds_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    copy_old(tmp_path, "functions")

    with ThreadPoolExecutor(2) as builders:
        first, second = builders.map(build, [tmp_path, tmp_path])

    assert first == second
    assert contents(first) == contents(build())
    assert len(list(first.parent.iterdir())) == 2  # the packages and the bundle, no drafts


def test_a_package_without_a_hash_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    copy_old(tmp_path, "functions")
    (tmp_path / "functions/requirements.txt").write_text("six==1.17.0\n")

    with pytest.raises(SystemExit, match=r"requirements\.txt could not be installed"):
        build(tmp_path)

    assert list((tmp_path / ".build").iterdir()) == []


def test_the_template_is_the_same_from_another_copy_of_the_tree(copy: Path, tmp_path: Path) -> None:
    settings = context(stage="prod", mailFrom="no-reply@example.com")
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=copy,
        env={
            "CDK_CONTEXT_JSON": json.dumps(settings),
            "CDK_OUTDIR": str(tmp_path),
            "CDK_VALIDATION": "false",
            "JSII_NODE": os.environ["JSII_NODE"],
            "PATH": os.environ["PATH"],
            "PYTHONHASHSEED": "1",  # the order of sets, which is another one in each process
        },
        check=True,
        capture_output=True,
    )

    copied = json.loads((tmp_path / "password-service-prod.template.json").read_text())
    assert json.dumps(copied) == json.dumps(synthesize_stage("prod"))
