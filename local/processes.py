"""Child processes that end with their starter, whatever ends it."""

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT, Popen
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent
"""The project's folder."""

_BURIAL: Final = 2.0
"""Seconds that the system gets to remove what was killed."""


class Child:
    """One command and the file that holds what it says."""

    def __init__(self, name: str, process: Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def ended(self) -> bool:
        """Ended by itself, which a server never should."""
        return self.process.poll() is not None

    def finish(self) -> None:
        """Wait for the end of the command, and exit with its last lines unless it succeeded."""
        if self.process.wait() != 0:
            self.fail()

    def fail(self) -> None:
        """Exit with the last lines of the log."""
        with self.log.open(errors="replace") as lines:
            tail = "".join(deque(lines, 30)).strip()
        sys.exit(f"{tail}\n{self.name} failed; its last lines stand above.")


class Processes:
    """A context manager: nothing that it started is alive when it is left.

    Each child leads a process group, so that Ctrl-C reaches the starter alone, and a stop
    reaches the child's children.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        # A signal raises in the main thread only. A child that another thread starts is thus
        # never lost between its start and its entry in the list.
        self._starter = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._starter.shutdown()
        for child in reversed(self._children):
            _kill(child.process)

    def start(
        self,
        name: str,
        *command: str | Path,
        environment: Mapping[str, str],
        working_directory: Path = ROOT,
    ) -> Child:
        """Start a command with this environment and nothing of the caller's."""
        arguments = (name, command, environment, working_directory)
        return self._starter.submit(self._start, *arguments).result()

    def _start(
        self,
        name: str,
        command: tuple[str | Path, ...],
        environment: Mapping[str, str],
        working_directory: Path,
    ) -> Child:
        log = self._folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = Popen(
                command,
                cwd=working_directory,
                env=environment,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child


def _kill(process: Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # The rest of the group are no children of ours, so they cannot be waited for.
    deadline = time.monotonic() + _BURIAL
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
