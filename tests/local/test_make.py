"""`make` starts and installs the right things, and says what is missing."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local import install
from local.install import PARTS
from local.processes import ROOT
from tests.support import PATIENCE, wait_until

STARTED = {
    "run": "python -m local run",
    "test": "python -m tests",
    "test ONLY=tests/unit/test_limits.py": "python -m pytest tests/unit/test_limits.py",
    "test-all": "python -m tests all",
    "deploy STAGE=prod CONTEXT='-c mailFrom=no-reply@example.com'": (
        "python -m verification prod --credentials\n"
        "cdk deploy password-service-prod --context stage=prod -c mailFrom=no-reply@example.com"
    ),
    "destroy APPROVE=never": (
        "python -m verification dev --rules\n"
        "cdk destroy password-service-dev --context stage=dev --force"
    ),
    "support TASK=send_code USERNAME='a $b' STAGE=prod": (
        "python -m verification.support send_code --username=a $b --stage prod"
    ),
    "support TASK=require_reset LIST=names.txt STACK=Shop CONSTRUCT=Shop/Main PORT=4567": (
        "python -m verification.support require_reset --list names.txt --stack Shop"
        " --construct Shop/Main --port 4567"
    ),
}
MAKE = str(shutil.which("make"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder where everything is installed, and a `bin` that holds all the tools there are."""
    for name in ("Makefile", "local", *{part.lock for part in PARTS.values()}):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for part in PARTS.values():
        (tmp_path / part.stamp).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part.lock, tmp_path / part.stamp)
    offer(tmp_path, "env", f'exec {shutil.which("env")} "$@"')
    offer(tmp_path, "python3.13", f'exec {sys.executable} "$@"')
    version = 'case "$*" in *platform*) echo 3.12.1 ;;'
    offer(tmp_path, "python3.12", f'{version} *) exec {sys.executable} "$@" ;; esac')
    offer(tmp_path, "node", "echo 22.20.0")
    offer(tmp_path, "npm", "exit 0")
    return tmp_path


def offer(clone: Path, tool: str, script: str) -> None:
    program = clone / "bin" / tool
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def need_npm(clone: Path) -> None:
    """Let `npm ci` write to `asked`, and end when there is a file `go`."""
    waits = f"until test -e {clone}/go; do sleep 0.1; done"
    offer(clone, "npm", f'test "$1" != ci || {{ echo "$*" >> {clone}/asked; {waits}; }}')
    offer(clone, "sleep", f'exec {shutil.which("sleep")} "$@"')
    (clone / PARTS["cdk"].stamp).unlink()


def start(clone: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [MAKE, *arguments],
        cwd=clone,
        env={"PATH": str(clone / "bin")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def make(clone: Path, *arguments: str) -> tuple[int, str, str]:
    with start(clone, *arguments) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, output.strip(), errors


@pytest.mark.parametrize("target", ["setup", "run", "invoke", "test", "synth", "deploy"])
def test_what_is_missing_is_named_together_with_what_was_found(clone: Path, target: str) -> None:
    offer(clone, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    offer(clone, "python3", "echo 3.11.2")
    offer(clone, "node", "echo 18.19.0")
    (clone / "bin" / "npm").unlink()

    code, output, errors = make(clone, target)

    assert (code, output) == (2, "")
    *sentences, _ = errors.splitlines()
    assert sentences == [
        (
            "Python 3.13 is needed: install it, or set PYTHON. "
            "Here, python3.13 is missing, and python3 is 3.11.2."
        ),
        "Node 20 or later is needed: install it. Here, node is 18.19.0.",
        "npm is needed: install it. Here, npm is missing.",
    ]


@pytest.mark.parametrize("target", ["test-all", "screenshot"])
def test_a_browser_and_the_oldest_python_are_asked_for_where_they_are_needed(
    clone: Path, target: str
) -> None:
    offer(clone, "../.venv/bin/python", "exit 0")
    python = (clone / "bin" / "python3.12").read_text()
    offer(clone, "python3.12", "exit 127")

    assert "Chromium is needed: install" in (errors := make(clone, target)[2])
    assert "Python 3.12 is needed too, " in errors
    assert make(clone, "test")[0] == 0
    offer(clone, "google-chrome", "exit 0")
    (clone / "bin" / "python3.12").write_text(python)
    assert make(clone, target)[0] == 0


def test_two_at_once_wait_for_each_other_and_install_once(clone: Path) -> None:
    need_npm(clone)

    with start(clone, "install-cdk") as first:
        wait_until((clone / "asked").exists)
        with start(clone, "install-cdk") as second:
            assert second.stderr
            sentence = second.stderr.readline()
            (clone / "go").touch()

    assert sentence == "Waiting for another make, which is installing here\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert len((clone / "asked").read_text().splitlines()) == 1


def test_a_killed_installation_does_not_block_the_next(clone: Path) -> None:
    need_npm(clone)
    with start(clone, "install-cdk") as killed:
        wait_until((clone / "asked").exists)
        os.killpg(killed.pid, signal.SIGKILL)
    (clone / "go").touch()

    code, _, errors = make(clone, "install-cdk")
    assert (code, errors.splitlines()[0]) == (
        0,
        "Step 1 of 1: installing npm packages: the CDK, Swagger UI and fonts, 40 MB",
    )
    assert make(clone, "install-cdk") == (0, "", "")


def test_no_package_is_installed_without_its_hash_or_built_on_the_way(clone: Path) -> None:
    offer(clone, "../.venv/bin/uv", f'echo "$*" >> {clone}/asked')
    offer(clone, "../.venv/bin/pip", "exit 0")
    locks = {part.lock for part in PARTS.values() if part.lock.endswith("requirements.txt")}
    for part in PARTS.values():
        if part.lock in locks:
            (clone / part.stamp).unlink()
    offer(clone, "chromium", "exit 0")

    assert make(clone, "install-all", "install-package")[0] == 0

    asked = [set(line.split()) for line in (clone / "asked").read_text().splitlines()]
    assert set().union(*asked) >= locks
    assert [a for a in asked if not a >= {"--require-hashes", "--only-binary=:all:"}] == []


def test_uv_uses_the_index_and_the_certificates_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example.com/simple")
    monkeypatch.setenv("PIP_CERT", "/etc/company.pem")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    environment = install.uv_environment()

    assert environment["UV_DEFAULT_INDEX"] == "https://packages.example.com/simple"
    assert environment["SSL_CERT_FILE"] == "/etc/company.pem"


@pytest.mark.parametrize(("arguments", "started"), STARTED.items())
def test_a_target_starts_what_the_documents_say(clone: Path, arguments: str, started: str) -> None:
    for program in ("../.venv/bin/python", "../node_modules/.bin/cdk"):
        offer(clone, program, 'echo "${0##*/} $*"')
    offer(clone, "chromium", "exit 1")

    code, output, errors = make(clone, *shlex.split(arguments))

    assert (code, output) == (0, started)
    asks = "\ncdk " in started and "APPROVE" not in arguments
    assert ("add APPROVE=never to continue" in errors) == asks


def test_what_make_timing_measures_can_be_measured() -> None:
    """Too few requests for a figure, which are not written into TIMING.md."""
    command = [sys.executable, "-m", "benchmarks.timing", "--requests", "2"]

    measured = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)

    assert measured.stdout.count("confirm_reset_password") == 2
