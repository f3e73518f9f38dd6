"""What tests and benchmarks share. Nothing else of `tests` may be imported by a benchmark."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
