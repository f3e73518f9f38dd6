"""The runs of this clone: each has a folder named by its port, which is removed with it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Final

from local import emulator
from local.processes import ROOT, kill_group, record, recorded

RUNS: Final = ROOT / ".local" / "runs"
"""A folder for each port: what the run writes, and the list of its processes."""


@contextmanager
def hold(port: int, setting: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Give a run the folder of its port until the block is left; exit if the port is in use."""
    folder = RUNS / str(port)
    try:
        with _alone():
            _check(port, setting, say)
            folder.mkdir(mode=0o700)  # it has keys, codes and the functions' environment
            record(folder, os.getpid())
        yield folder
    finally:
        with _alone():
            if _holder(folder) in {None, os.getpid()}:
                shutil.rmtree(folder, ignore_errors=True)


def check(port: int, setting: str, say: Callable[[str], None]) -> None:
    """Exit if a port is in use; the sentence names the setting that chooses another one."""
    with _alone():
        _check(port, setting, say)


def _check(port: int, setting: str, say: Callable[[str], None]) -> None:
    for folder in sorted(RUNS.glob("*/")):
        if _holder(folder) is None:
            _remove(folder, say)
    if holder := _holder(RUNS / str(port)):
        sys.exit(
            f"Port {port} is in use by another make run (process {holder}): "
            f"stop it, or choose another port with {setting}=."
        )
    emulator.check_port(port, setting)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process of this clone at a time look at the folders and change them."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with (RUNS / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def _holder(folder: Path) -> int | None:
    """Return the run that a folder belongs to, if it is alive: it is the first in the list."""
    return next((pid if alive else None for pid, alive in recorded(folder).items()), None)


def _remove(folder: Path, say: Callable[[str], None]) -> None:
    """Remove what a killed run left: the folder, and its processes if their leader died too."""
    run, group, *_ = *recorded(folder), 0, 0
    left = [str(pid) for pid, alive in recorded(folder).items() if alive and _belongs(pid, group)]
    if group and left:
        kill_group(group)
    shutil.rmtree(folder, ignore_errors=True)
    stopped = f"stopped its processes {', '.join(left)} and " if left else ""
    which = (
        f"an earlier make run (process {run}) was killed"
        if run
        else "an earlier make run left no readable list of its processes"
    )
    say(f"{which}: {stopped}removed its folder {folder.relative_to(ROOT)}")


def _belongs(pid: int, group: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getpgid(pid) == group
    return False
