"""The documents that are generated from the declarations: `python -m apidocs` writes them."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
