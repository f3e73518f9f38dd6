"""The CI workflow is pinned, has few permissions, and runs `make test-all`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def run(*command: str) -> str:
    """Return the output of a tool of this environment, which must accept the file."""
    tool, *arguments = command
    done = subprocess.run(
        [Path(sys.executable).with_name(tool), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


RIGHTS = {
    "test": {"test": {"contents": "read"}},
    "release": {
        "build": {"contents": "read"},
        "pypi": {"id-token": "write"},
        "npm": {"id-token": "write"},
        "attach": {"contents": "write"},
    },
}


@pytest.mark.parametrize("name", RIGHTS)
def test_a_workflow_is_pinned_and_has_no_rights_that_it_does_not_need(name: str) -> None:
    run("zizmor", "--offline", "--persona", "pedantic", "--quiet", ".github")
    workflow = read(f".github/workflows/{name}.yml")

    assert workflow["permissions"] == {}
    assert {job: each["permissions"] for job, each in workflow["jobs"].items()} == RIGHTS[name]
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    uses = [step["uses"] for step in steps if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"(actions|pypa)/[\w-]+@[0-9a-f]{40}", action) for action in uses)


def test_only_what_passed_the_tests_is_published() -> None:
    jobs = read(".github/workflows/release.yml")["jobs"]
    commands = [step["run"] for step in jobs["build"]["steps"] if "run" in step]

    assert commands[:2] == ["make test-all", "make package"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None,
        "pypi": "build",
        "npm": "build",
        "attach": ["pypi", "npm"],
    }
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text()


def test_the_workflow_runs_all_tests() -> None:
    *_, last = read(".github/workflows/test.yml")["jobs"]["test"]["steps"]

    assert last == {"run": "make test-all"}


def test_git_runs_checks_before_a_commit_and_a_push() -> None:
    run("pre-commit", "validate-config")
    (repository,) = read(".pre-commit-config.yaml")["repos"]

    commands = {tuple(hook["stages"]): hook["entry"] for hook in repository["hooks"]}
    assert commands == {("pre-commit",): "make check", ("pre-push",): "make test"}


@pytest.mark.parametrize(
    ("ecosystem", "pattern"), [("pip", "**/requirements.txt"), ("npm", "package-lock.json")]
)
def test_every_lock_gets_updates(ecosystem: str, pattern: str) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", pattern, pattern.removeprefix("**/")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    (updates,) = (
        u for u in read(".github/dependabot.yml")["updates"] if u["package-ecosystem"] == ecosystem
    )

    folders = {f"/{Path(path).parent}".removesuffix(".") for path in tracked}
    assert folders == set(updates.get("directories", [updates.get("directory")]))
