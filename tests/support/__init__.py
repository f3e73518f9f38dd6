"""Shared by tests and benchmarks. Benchmarks may import nothing else of `tests`."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 300.0
"""Seconds that a test waits for an event before it fails. Passing tests never wait that long."""
