"""Child processes that end with the process that started them, even if it is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent
"""The root folder of the project."""

_RECORD: Final = "processes"
"""The name of the file that lists the processes of a folder: an ID and a start time per line."""

_BURIAL: Final = 2.0
"""Seconds that the system gets to remove what was killed."""


class Child:
    """A running command and its log file."""

    def __init__(self, name: str, process: Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def ended(self) -> bool:
        """Whether it ended by itself, which a server never should."""
        return self.process.poll() is not None

    def finish(self) -> None:
        """Wait for the end of the command, and exit with its last lines unless it succeeded."""
        if self.process.wait() != 0:
            self.fail()

    def fail(self) -> None:
        """Exit with the last lines of the log as the message."""
        with self.log.open(errors="replace") as lines:
            tail = "".join(deque(lines, 30)).strip()
        sys.exit(f"{tail}\n{self.name} failed; its last lines are above.")


class Processes:
    """A context manager: nothing that it started is alive when it is left.

    The children, and theirs, are one process group, so that Ctrl-C reaches only the starter. A
    shell leads the group and waits for the end of its input. The system closes that input when the
    starter ends, even if it was killed, and then the shell kills the group.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._leader = Popen(
            ("/bin/sh", "-c", "read -r _; kill -KILL 0"),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            process_group=0,
        )
        record(self._folder, self._leader.pid)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._leader.pid, signal.SIGKILL)
        for process in self._children:
            process.wait()
        self._leader.communicate()  # which also closes its input
        # The rest of the group are no children of ours, so they cannot be waited for.
        kill_group(self._leader.pid)

    def start(
        self,
        name: str,
        *command: str | Path,
        environment: Mapping[str, str],
        working_directory: Path = ROOT,
    ) -> Child:
        """Start a command with this environment and nothing of the caller's."""
        log = self._folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = Popen(
                command,
                cwd=working_directory,
                env=environment,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                process_group=self._leader.pid,
            )
        self._children.append(process)
        record(self._folder, process.pid)
        return Child(name, process, log)


def record(folder: Path, pid: int) -> None:
    """Record a process, so that a later run recognises it even if this one is killed."""
    with (folder / _RECORD).open("a") as lines:
        lines.write(f"{pid} {_started(pid)}\n")


def recorded(folder: Path) -> dict[int, bool]:
    """Return the processes that were written down, in order, and whether each is still alive."""
    try:
        text = (folder / _RECORD).read_text(errors="replace")
    except OSError:
        return {}
    found = re.findall(r"^([1-9][0-9]{0,9}) (.+)$", text, re.MULTILINE | re.ASCII)
    return {int(pid): _started(int(pid)) == started for pid, started in found}


def _started(pid: int) -> str:
    """Return when a process started, or nothing: IDs are used again, but not at the same time."""
    if Path("/proc/self/stat").exists():
        try:
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if state == "Z" else fields[18]
    command = ("/bin/ps", "-o", "lstart=", "-p", str(pid))
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def kill_group(group: int) -> None:
    """Kill a process group, and return when the system has removed it."""
    deadline = time.monotonic() + _BURIAL
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.01)
