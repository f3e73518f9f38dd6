"""What `make` says where something that it needs is missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from local.processes import ROOT

LOCKS = ("requirements.txt", "local/requirements.txt", "package-lock.json")
INSTALLED = (".venv/.installed", ".local/emulator/.installed")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder where nothing is installed, and a `bin` that holds all the tools there are."""
    for lock in LOCKS:
        (tmp_path / lock).parent.mkdir(exist_ok=True)
        (tmp_path / lock).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in ("env", "touch"):
        offer(tmp_path, tool, f'exec {shutil.which(tool)} "$@"')
    return tmp_path


def offer(clone: Path, tool: str, script: str) -> None:
    program = clone / "bin" / tool
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    assert program
    return subprocess.run(
        [program, *arguments],
        cwd=clone,
        env={"PATH": str(clone / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def pretend_to_have_installed_python(clone: Path) -> None:
    for stamp in INSTALLED:
        (clone / stamp).parent.mkdir(parents=True)
        (clone / stamp).touch()


def complaint(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence before make's own."""
    assert result.returncode != 0
    assert result.stdout == ""
    sentence, after = result.stderr.strip().split("\n")
    assert after.startswith("make: ***")
    return sentence


@pytest.mark.parametrize("target", ["setup", "run", "invoke", "test", "synth", "deploy"])
def test_a_missing_python_is_named(clone: Path, target: str) -> None:
    offer(clone, "node", "exit 0")

    assert complaint(make(clone, target)).startswith("Python 3.13 is needed")


def test_a_python_that_only_seems_to_be_there_is_missing(clone: Path) -> None:
    """As with pyenv, whose shims stand there for every version that any project has."""
    offer(clone, "node", "exit 0")
    offer(clone, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")

    assert complaint(make(clone, "run")).startswith("Python 3.13 is needed")


@pytest.mark.parametrize("target", ["setup", "run", "invoke", "test", "synth", "deploy"])
def test_a_missing_node_is_named(clone: Path, target: str) -> None:
    assert complaint(make(clone, target)).startswith("Node 20 or newer is needed")


def test_a_missing_npm_is_named(clone: Path) -> None:
    pretend_to_have_installed_python(clone)
    offer(clone, "node", "exit 0")

    assert complaint(make(clone, "run")).startswith("npm is needed")


def test_help_needs_nothing_and_lists_every_target(clone: Path) -> None:
    offer(clone, "awk", f'exec {shutil.which("awk")} "$@"')
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = (line for line in makefile.splitlines() if line.startswith(".PHONY:"))

    result = make(clone)

    assert result.returncode == 0
    listed = {line.split()[1] for line in result.stdout.splitlines()}
    assert listed == set(phony.split()[1:]) - {"node"}
