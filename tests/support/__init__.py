"""Shared by tests and benchmarks. Benchmarks may import nothing else of `tests`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 300.0
"""Seconds that a test waits for an event before it fails. Passing tests never wait that long."""


def wait_until(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"It did not happen in {PATIENCE:.0f} seconds."
        time.sleep(0.05)
