"""The CI workflows have no known weakness."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT

JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]


def test_a_strict_linter_finds_nothing_in_the_workflows() -> None:
    """It wants actions pinned by their hashes, and each job's permissions named with a reason."""
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--persona", "pedantic", "--quiet", ".github"]

    subprocess.run(command, cwd=ROOT, check=True)


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_what_tests_install_reaches_neither_the_packages_nor_a_job_that_may_publish() -> None:
    publishing = {name for name, job in JOBS.items() if "write" in job["permissions"].values()}
    tested = {name for name in JOBS if any("make test" in one for one in commands(name))}

    assert len(publishing) == 3
    assert tested == {"test"}
    for name in publishing:
        installing = ("make ", "pip ", "npm ci", "npm install")
        assert not [one for one in commands(name) if any(word in one for word in installing)]
        assert not [s for s in JOBS[name]["steps"] if "checkout" in s.get("uses", "")]
    assert {"test", "build"} <= {*JOBS["pypi"]["needs"]} & {*JOBS["npm"]["needs"]}


@pytest.mark.parametrize(("branch", "status"), [("main", 0), ("other", 1)])
def test_only_a_tag_on_main_is_built(branch: str, status: int, tmp_path: Path) -> None:
    (check, *_) = commands("build")
    as_somebody = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]

    def git(*arguments: str) -> None:
        subprocess.run(["git", *as_somebody, *arguments], cwd=tmp_path, check=True)

    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "--message=On main")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    if branch != "main":
        git("switch", "--quiet", "--create", branch)
        git("commit", "--quiet", "--allow-empty", "--message=On a branch")
    git("tag", "v1.2.3")
    git("switch", "--quiet", "--detach", "v1.2.3")

    ended = subprocess.run(["bash", "-e", "-c", check], cwd=tmp_path, check=False)

    assert ended.returncode == status
