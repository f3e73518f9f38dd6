"""A separate clone for `make run`, so that tests do not meet a run that a person started."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from local import emulator
from tests.support import PATIENCE, ROOT, wait_until

_INSTALLED = (".venv", ".build", "node_modules", ".local/emulator", ".local/jsii")
_ELSEWHERE = (".*", "node_modules", "tests", "docs", "benchmarks", "cdk.out")


def clone(folder: Path) -> Path:
    """Copy the files that are run, and link what was installed or built for them."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_ELSEWHERE))
    shutil.copy(ROOT / ".python-version", folder)  # by which pyenv finds Python
    for created in (folder / ".local", folder.parent / "home", folder.parent / "tmp"):
        created.mkdir()
    for name in _INSTALLED:
        (ROOT / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder


def environment(clone: Path) -> dict[str, str]:
    """Return variables that a user may have set, and that must not matter."""
    # Not those of the make that runs the tests.
    ours = ("MAKE", "JSII", "CDK", "XDG", "npm_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return own | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_PROFILE": "a-profile-that-is-not-there",
        "HOME": str(clone.parent / "home"),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "TMPDIR": str(clone.parent / "tmp"),
    }


def execute(clone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=clone,
        env=environment(clone),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def leader(folder: Path) -> int:
    """Return the ID of a run's group of processes, once the CDK is among them."""
    record = folder / "processes"
    wait_until(lambda: record.exists() and record.read_text().count("\n") >= 4)
    return int(record.read_text().splitlines()[1].split()[0])


def members(group: int) -> set[int]:
    """Return the IDs of the processes of a group that are no zombies."""
    command = ["ps", "-A", "-o", "pid=,pgid=,stat="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return {int(pid) for pid, of, state in rows if int(of) == group and state[0] != "Z"}


def check_nothing_is_left(clone: Path, group: int) -> None:
    """Assert that a group of processes ends, and that no run has a folder or files elsewhere."""

    def left() -> list[Path]:
        strewn = [path for name in ("home", "tmp") for path in (clone.parent / name).rglob("*")]
        return [*(clone / ".local" / "runs").glob("*/"), *strewn]

    wait_until(lambda: not members(group))
    # The last process of another group may be the one that removes the files.
    wait_until(lambda: left() == [])


class Run:
    """`python -m local run` in a clone, or the `make run` that starts it."""

    def __init__(
        self,
        clone: Path,
        port: int = 0,
        web_port: int = 0,
        *,
        make: bool = False,
        origin: str = "http://localhost:1",
    ) -> None:
        self.clone = clone
        self.port = port or emulator.free_port()
        self.web_port = web_port or emulator.free_port()
        self.site = f"http://127.0.0.1:{self.web_port}"
        self.folder = clone / ".local" / "runs" / str(self.port)
        self._log = clone / f"{time.monotonic_ns()}.log"
        command = [
            "make",
            "run",
            f"PORT={self.port}",
            f"WEB_PORT={self.web_port}",
            f"ORIGIN={origin}",
        ]
        if not make:
            command = [".venv/bin/python", "-m", "local", "run", "--port", str(self.port)]
            command += ["--web-port", str(self.web_port), "--origin", origin]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=clone,
                env=environment(clone),
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
        wait_until(lambda: text in self.printed or self.process.poll() is not None)
        assert text in self.printed, self.printed

    def wait_until_ready(self) -> None:
        for step in ("synthesizing", "deploying", "\nready "):
            self.wait_for(step)

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)
