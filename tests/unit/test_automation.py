"""The CI workflows have no known weakness."""

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT


def test_a_strict_linter_finds_nothing_in_the_workflows() -> None:
    """It wants actions pinned by their hashes, and each job's permissions named with a reason."""
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [str(zizmor), "--offline", "--persona", "pedantic", "--quiet", ".github"]

    subprocess.run(command, cwd=ROOT, check=True)
