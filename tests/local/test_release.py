"""`make release` in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from local.processes import ROOT

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}
ENVIRONMENT = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, **IDENTITY}


def git(repository: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=repository, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What git keeps of this one, on a branch `main` with one commit."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in filter(lambda name: (ROOT / name).exists(), listed):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=All")
    return tmp_path


def release(repository: Path, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "release", version],
        cwd=repository,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_is_one_commit_with_its_version_its_date_and_its_tag(repository: Path) -> None:
    done = release(repository, "9.8.7")

    assert (done.returncode, done.stderr) == (0, "")
    assert "git push --atomic origin main v9.8.7" in done.stdout
    assert git(repository, "log", "--format=%s") == "Release 9.8.7\nAll"
    assert git(repository, "rev-parse", "v9.8.7^{}") == git(repository, "rev-parse", "HEAD")
    assert git(repository, "status", "--porcelain") == ""
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["version"] == "9.8.7"
    assert '"version": "9.8.7"' in (repository / "openapi.json").read_text()
    changelog = (repository / "CHANGELOG.md").read_text()
    assert re.search(
        r"^## Unreleased\n\n## 9\.8\.7 - \d{4}-\d\d-\d\d\n\n###", changelog, re.MULTILINE
    )


def test_what_is_not_ready_is_not_released(repository: Path) -> None:
    def refused(version: str = "9.8.7") -> str:
        done = release(repository, version)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    assert "VERSION must be like 1.2.3, not 'next'." in refused("next")
    assert "VERSION 0.0.1 is below 0.1.0" in refused("0.0.1")
    git(repository, "tag", "v9.8.7")
    assert "There is a tag v9.8.7 already" in refused()
    git(repository, "tag", "--delete", "v9.8.7")
    git(repository, "switch", "--quiet", "--create", "draft")
    assert "A release is made on main" in refused()
    git(repository, "switch", "--quiet", "main")
    (repository / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- All\n")
    assert "There are changes that are not committed" in refused()
    git(repository, "commit", "--quiet", "--all", "--message=Empty")
    assert "CHANGELOG.md has nothing under Unreleased" in refused()
    assert git(repository, "tag", "--list") == ""
