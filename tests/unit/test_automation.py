"""The CI workflows have no known weakness, and every lock file gets updates."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT


def run(*command: str | Path) -> str:
    """Return the output of a program that must succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_strict_linter_finds_nothing_in_the_workflows() -> None:
    """It wants actions pinned by their hashes, and each job's permissions named with a reason."""
    zizmor = Path(sys.executable).with_name("zizmor")

    run(zizmor, "--offline", "--persona", "pedantic", "--quiet", ".github")


@pytest.mark.parametrize(
    ("ecosystem", "pattern"), [("pip", "**/requirements.txt"), ("npm", "package-lock.json")]
)
def test_every_lock_gets_updates(ecosystem: str, pattern: str) -> None:
    tracked = run("git", "ls-files", pattern, pattern.removeprefix("**/")).split()
    configured = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    (updates,) = (one for one in configured if one["package-ecosystem"] == ecosystem)

    folders = {f"/{Path(path).parent}".removesuffix(".") for path in tracked}
    assert folders == set(updates.get("directories", [updates.get("directory")]))
