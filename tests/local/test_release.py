"""`make release` in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import PATIENCE, ROOT

ENVIRONMENT = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull} | {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_only_what_is_ready_becomes_one_commit_with_its_version_its_date_and_its_tag(
    tmp_path: Path,
) -> None:
    def git(*arguments: str) -> str:
        done = run(tmp_path, "git", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(lambda name: (ROOT / name).is_file(), listed.splitlines()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message=All")
    (tmp_path / "unfinished").touch()
    refused = run(tmp_path, sys.executable, "-m", "release", "9.8.7")
    assert "There are changes that are not committed" in refused.stderr
    (tmp_path / "unfinished").unlink()

    done = run(tmp_path, sys.executable, "-m", "release", "9.8.7")

    assert (done.returncode, done.stderr) == (0, "")
    assert git("log", "--format=%s%d", "-2") == "Release 9.8.7 (HEAD -> main, tag: v9.8.7)\nAll"
    assert git("status", "--porcelain") == ""
    assert '\nversion = "9.8.7"\n' in (tmp_path / "pyproject.toml").read_text()
    changelog = (tmp_path / "CHANGELOG.md").read_text()
    dated = r"^## Unreleased\n\n## 9\.8\.7 - \d{4}-\d\d-\d\d\n\n###"
    assert re.search(dated, changelog, re.MULTILINE)
