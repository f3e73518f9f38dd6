"""A separate clone for `make run`, so that tests do not meet a run that a person started."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from local import emulator
from local.processes import ROOT

START_UP = 120.0
"""Seconds; a warm start takes about ten of them."""
STOP = 60.0

_INSTALLED = (".venv", ".build", "node_modules", ".local/emulator", ".local/jsii")
_ELSEWHERE = ("tests", "docs", "benchmarks", "cdk.out")


def clone(folder: Path) -> Path:
    """Copy what is run, and link what was installed or built for it."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "node_modules", *_ELSEWHERE))
    (folder / ".local").mkdir()
    for name in _INSTALLED:
        (ROOT / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder


def environment(clone: Path) -> dict[str, str]:
    """Variables that a user may have set, and that must not matter."""
    home, temporary = clone.parent / "home", clone.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    if not home.exists():
        home.mkdir()
        (home / ".cache").mkdir()
        (home / ".cache").chmod(0o775)
    # Not that of the make that runs the tests, which would have another one say more.
    ours = ("MAKE", "JSII", "CDK", "XDG", "npm_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return own | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_PROFILE": "a-profile-that-is-not-there",
        "HOME": str(home),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "TMPDIR": str(temporary),
    }


def left(clone: Path) -> list[str]:
    """What runs have left: folders of ports, and files in the home and the temporary folder."""
    folders = [path for path in (clone / ".local" / "runs").iterdir() if path.is_dir()]
    strewn = [path for name in ("home", "tmp") for path in (clone.parent / name).rglob("*")]
    return [str(path) for path in (*folders, *strewn) if path.name != ".cache"]


def rows() -> list[list[int]]:
    """The parent and the group of each process that is no zombie, after its ID."""
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    split = [line.split() for line in listing.splitlines()]
    return [[int(number) for number in row[:3]] for row in split if row[3][0] != "Z"]


def alive(pids: set[int]) -> set[int]:
    return pids & {row[0] for row in rows()}


def wait_for_the_end(pids: set[int], seconds: float = STOP) -> None:
    deadline = time.monotonic() + seconds
    while left := alive(pids):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


class Run:
    """`python -m local run` in a clone, or the `make run` that starts it."""

    def __init__(
        self, clone: Path, port: int = 0, web_port: int = 0, *, make: bool = False
    ) -> None:
        self.clone = clone
        self.ports = {
            "PORT": port or emulator.free_port(),
            "WEB_PORT": web_port or emulator.free_port(),
        }
        self.port = self.ports["PORT"]
        self.site = f"http://127.0.0.1:{self.ports['WEB_PORT']}"
        self.stack_file = clone / ".local" / "runs" / str(self.port) / "stack.json"
        self.environment = environment(clone)
        self._log = clone / f"{time.monotonic_ns()}.log"
        options = [f"{name}={number}" for name, number in self.ports.items()]
        if not make:
            pairs = zip(("--port", "--web-port"), self.ports.values(), strict=True)
            options = [f"{name}={number}" for name, number in pairs]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*(("make",) if make else (".venv/bin/python", "-m", "local")), "run", *options],
                cwd=clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_UP
        while text not in self.printed:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.1)

    def descendants(self) -> set[int]:
        found = {self.process.pid}
        while more := {pid for pid, parent, _ in rows() if parent in found} - found:
            found |= more
        return found - {self.process.pid}

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP)

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "-s", *arguments],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
