"""The CI workflows have no known weakness, and every lock file gets updates."""

import subprocess
import sys
from pathlib import Path

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
