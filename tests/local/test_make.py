"""What `make` starts, and what it says where something that it needs is missing."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from local.processes import ROOT

LOCKS = (
    "requirements.txt",
    "tests/requirements.txt",
    "local/requirements.txt",
    "package-lock.json",
)
README = (ROOT / "README.md").read_text()
STARTED = {
    "make run": "python -m local run",
    "make test": "python -m tests",
    "make deploy STAGE=dev": "cdk deploy password-service-dev --context stage=dev",
    "make deploy STAGE=prod CONTEXT='-c mailFrom=no-reply@example.com'": (
        "cdk deploy password-service-prod --context stage=prod -c mailFrom=no-reply@example.com"
    ),
    "make destroy STAGE=dev": "cdk destroy password-service-dev --context stage=dev",
}
"""By the commands of the README that are too much to be run here."""
NO_TERMINAL = (
    "There is no terminal to ask for your approval: add APPROVE=never to continue without it."
)
INSTALLED = (".venv/.installed", ".venv/.tests-installed", ".local/emulator/.installed")


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
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def pretend_to_have_installed_python(clone: Path) -> None:
    for stamp in INSTALLED:
        (clone / stamp).parent.mkdir(parents=True, exist_ok=True)
        (clone / stamp).touch()


def pretend_to_have_installed_everything(clone: Path) -> None:
    pretend_to_have_installed_python(clone)
    offer(clone, "node", "exit 0")
    (clone / "node_modules").mkdir()
    for stamp in (".package-lock.json", ".tests-installed"):
        (clone / "node_modules" / stamp).touch()


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
    """pyenv, for example, has a shim for every version that any project uses."""
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


@pytest.mark.parametrize("target", ["setup", "test", "screenshot"])
def test_a_missing_browser_is_named_without_root_rights(clone: Path, target: str) -> None:
    pretend_to_have_installed_everything(clone)

    assert complaint(make(clone, target)).startswith("Chromium is needed")


@pytest.mark.parametrize(("user", "root"), [("0", ""), ("1000", "sudo -n ")])
def test_a_missing_browser_is_installed_with_root_rights(clone: Path, user: str, root: str) -> None:
    pretend_to_have_installed_everything(clone)
    offer(clone, "id", f"echo {user}")
    offer(clone, "apt-get", f'echo "$0 $*" >> {clone}/asked')
    offer(clone, "sudo", f'echo "sudo $*" >> {clone}/asked')

    result = make(clone, "setup")

    assert (result.returncode, result.stdout) == (0, "")
    asked = (clone / "asked").read_text().replace(f"{clone}/bin/", "").splitlines()
    assert [line for line in asked if "apt-get" in line] == [
        f"{root}apt-get update",
        f"{root}apt-get install --yes --no-install-recommends chromium",
    ]


@pytest.mark.parametrize("browser", ["chromium", "google-chrome"])
def test_a_browser_that_is_there_is_enough(clone: Path, browser: str) -> None:
    pretend_to_have_installed_everything(clone)
    offer(clone, browser, "exit 1")

    assert make(clone, "setup").returncode == 0


UNATTENDED = {
    "make deploy STAGE=dev APPROVE=never": (
        "cdk deploy password-service-dev --context stage=dev --require-approval never"
    ),
    "make destroy STAGE=dev APPROVE=never": (
        "cdk destroy password-service-dev --context stage=dev --force"
    ),
    "make synth": "cdk synth --quiet --context stage=dev",
    "make package": "python -m release",
    "make release VERSION=1.2.3": "python -m release 1.2.3",
    "make run PORT=4567 WEB_PORT=3001": "python -m local run --port 4567 --web-port 3001",
    "make verify STAGE=dev MAILBOX=you@example.com": (
        "python -m verification dev --mailbox you@example.com"
    ),
    "make verify POLICY=1": "python -m verification dev --policy",
}
"""By further commands that the documents name."""


@pytest.mark.parametrize(("command", "started"), (STARTED | UNATTENDED).items())
def test_a_command_of_the_readme_starts_what_it_names(
    clone: Path, command: str, started: str
) -> None:
    pretend_to_have_installed_everything(clone)
    offer(clone, "chromium", "exit 1")
    for program in ("../.venv/bin/python", "../node_modules/.bin/cdk"):
        (clone / "bin" / program).parent.mkdir(parents=True, exist_ok=True)
        offer(clone, program, 'echo "${0##*/} $*"')
    _, *arguments = shlex.split(command)

    result = make(clone, *arguments)

    assert (result.returncode, result.stdout.strip()) == (0, started)
    unapproved = started.startswith(("cdk deploy", "cdk destroy")) and "APPROVE" not in command
    assert (NO_TERMINAL in result.stderr) == unapproved
    assert result.stderr.count("\n") == (unapproved or "synth" in command)


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    """Those of curl by `tests/e2e`, and invocations beside this file."""
    blocks = re.findall("^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    commands = {line for block in blocks for line in block.splitlines() if line[0] != " "}

    assert {c for c in commands if not c.startswith(("curl ", "make invoke "))} == STARTED.keys()


def test_help_needs_nothing_and_lists_every_target(clone: Path) -> None:
    offer(clone, "awk", f'exec {shutil.which("awk")} "$@"')
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = (line for line in makefile.splitlines() if line.startswith(".PHONY:"))

    result = make(clone)

    assert result.returncode == 0
    listed = {line.split()[1] for line in result.stdout.splitlines()}
    assert listed == set(phony.split()[1:]) - {"node", "chromium"}
