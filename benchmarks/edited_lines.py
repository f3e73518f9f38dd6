"""`python -m benchmarks.edited_lines`: what each edited file of the bundle saves of a start.

Each variant is the bundle with one file as its package has it, and with the folders that the bundle
leaves out, since that file may need them. The processes of all variants take turns; what counts is
the median of the differences from the bundle as it is.
"""

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from infra.packaging.bundle import build
from infra.packaging.slimming import IMPORTS, UNUSED

ROUNDS: Final = 41
_IMPORT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); import functions.confirm_reset_password.handler;"
    "import functions.protection.idempotency"
)


def main() -> None:
    """Print a table in Markdown."""
    bundle = build(platform=None)
    packages, *_ = bundle.parent.glob("packages-*")  # their sources are the same for any machine
    with TemporaryDirectory(dir=bundle.parent) as name:
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        whole = Path(name) / "whole"
        shutil.copytree(bundle, whole, copy_function=os.link)
        for path in (path for pattern in UNUSED for path in packages.glob(pattern)):
            shutil.copytree(path, whole / path.relative_to(packages))
            compileall.compile_dir(
                whole / path.relative_to(packages), quiet=1, invalidation_mode=mode
            )
        variants = {file: Path(name) / str(number) for number, file in enumerate(IMPORTS)}
        for file, folder in variants.items():
            shutil.copytree(whole, folder, copy_function=os.link)
            (folder / file).unlink()
            shutil.copy(packages / file, folder / file)
            for compiled in (folder / file).parent.glob(f"__pycache__/{Path(file).stem}.*"):
                compiled.unlink()
            py_compile.compile(str(folder / file), invalidation_mode=mode)
        saved: dict[str, list[float]] = {file: [] for file in IMPORTS}
        for _ in range(ROUNDS):
            ours = _start(bundle)
            for file, folder in variants.items():
                saved[file].append(_start(folder) - ours)
    print("| file | milliseconds |\n| --- | --- |")
    for file, milliseconds in saved.items():
        print(f"| `{file}` | {median(milliseconds):.1f} |")


def _start(bundle: Path) -> float:
    """Milliseconds of a process that imports a handler."""
    command = [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, str(bundle)]
    started = time.perf_counter()
    subprocess.run(command, check=True, env={})
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
