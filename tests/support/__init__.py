"""Shared by tests and benchmarks. Benchmarks may import nothing else of `tests`."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
