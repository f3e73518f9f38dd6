"""`python -m benchmarks.edited_lines`: what each edited file of the bundle saves of a start.

Each variant is the bundle with one file as its package has it, and with the folders that the bundle
leaves out, since that file may need them. Valgrind counts the instructions of an import, which
other work on the machine does not change.
"""

import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from infra.packaging.bundle import build
from infra.packaging.slimming import EMPTIED, IMPORTS, UNUSED

_IMPORT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); import functions.confirm_reset_password.handler"
)
_IMPORT_WORKER: Final = f"{_IMPORT}, functions.worker.handler"
_FOR_THE_WORKER: Final = "aws_lambda_powertools/utilities/"


def main() -> None:
    """Print a table in Markdown."""
    bundle = build()
    packages, *_ = bundle.parent.glob("packages-*")  # their sources are the same for any machine
    ours = {script: _count(bundle, script) for script in (_IMPORT, _IMPORT_WORKER)}
    print("| file | saves |\n| --- | --- |")
    with TemporaryDirectory(dir=bundle.parent) as name:
        whole = Path(name) / "whole"
        shutil.copytree(bundle, whole, copy_function=os.link)
        for path in (path for pattern in UNUSED for path in packages.glob(pattern)):
            _restore(path, whole / path.relative_to(packages))
        for number, file in enumerate((*IMPORTS, *EMPTIED)):
            variant = Path(name) / str(number)
            shutil.copytree(whole, variant, copy_function=os.link)
            # A module that is not edited may need the package that is emptied.
            beside = [one for one in EMPTIED if Path(one).parent == Path(file).parent]
            for restored in {file, *beside}:
                _restore(packages / restored, variant / restored)
            script = _IMPORT_WORKER if file.startswith(_FOR_THE_WORKER) else _IMPORT
            saved = _count(variant, script) / ours[script] - 1
            print(f"| `{file}` | {saved:.1%} |", flush=True)


def _restore(source: Path, target: Path) -> None:
    """Put back a file or a folder as its package has it, with byte code."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.unlink(missing_ok=True)
        shutil.copy(source, target)
    for path in target.rglob("*.py") if source.is_dir() else (target,):
        py_compile.compile(
            str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )


def _count(bundle: Path, script: str) -> int:
    """Return the instructions of a process that imports a handler."""
    counter = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    python = [sys.executable, "-s", "-P", "-S", "-B", "-c", script, str(bundle)]
    ended = subprocess.run(
        [*counter, *python], check=True, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True
    )
    (counted,) = re.findall(r"I\s+refs:\s+([\d,]+)", ended.stderr)
    return int(counted.replace(",", ""))


if __name__ == "__main__":
    main()
