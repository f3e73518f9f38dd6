"""`make test`: every check runs, whatever the others find, and a summary ends it.

`make check` names those that take seconds. The checks of one lane run one after the other, and the
lanes side by side.
"""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from threading import Lock
from typing import Final, NamedTuple

PYTEST: Final = ("pytest", "--cov", "--cov-report=", "--cov-fail-under=0", "--durations=5")
LANES: Final[tuple[dict[str, tuple[str, ...]], ...]] = (
    {"deployed": (*PYTEST, "tests/e2e", "tests/local")},
    {
        "format": ("ruff", "format", "--check"),
        "lint": ("ruff", "check"),
        "types": ("mypy",),
        "units": (*PYTEST, "tests/unit", "tests/infra", "tests/bundle", "tests/web"),
    },
)
"""The first lane needs an emulator, and takes as long as the second."""

COVERAGE: Final = ("deployed", "units")


class Result(NamedTuple):
    """What one check came to."""

    name: str
    seconds: float
    passed: bool

    def __str__(self) -> str:
        return f"{self.name:<10}{self.seconds:>7.1f} s  {'passed' if self.passed else 'FAILED'}"


class Runner:
    """The checks that run now; a signal ends them all."""

    def __init__(self) -> None:
        self._running: set[Popen[str]] = set()
        self._lock = Lock()
        self._stopped = False

    def run(self, lane: dict[str, tuple[str, ...]], chosen: set[str]) -> list[Result]:
        """Run a lane's checks in turn, and print what each says when it ends."""
        return [self.check(name, lane[name]) for name in lane if name in chosen]

    def check(self, name: str, command: tuple[str, ...]) -> Result:
        """Run one check."""
        started = time.monotonic()
        environment = os.environ | {"COVERAGE_FILE": f".coverage.{name}"}
        with self._lock:
            if self._stopped:
                return Result(name, 0.0, passed=False)
            process = Popen(
                [sys.executable, "-m", *command],
                env=environment,
                stdout=PIPE,
                stderr=STDOUT,
                text=True,
            )
            self._running.add(process)
        output, _ = process.communicate()
        result = Result(name, time.monotonic() - started, process.returncode == 0)
        with self._lock:
            self._running.discard(process)
            print(f"\n{output.rstrip()}\n{result}", flush=True)  # noqa: T201 - to a person
        return result

    def stop(self, number: int, _frame: object) -> None:
        """End every check as Ctrl-C would, so that none leaves an emulator behind."""
        self._stopped = True
        for process in list(self._running):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in list(self._running):
            process.wait()
        os._exit(128 + number)


def main() -> None:
    """Exit with 1 if anything failed."""
    started = time.monotonic()
    chosen = set(sys.argv[1:]) or {name for lane in LANES for name in lane}
    runner = Runner()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, runner.stop)
    with ThreadPoolExecutor(len(LANES)) as threads:
        lanes = [threads.submit(runner.run, lane, chosen) for lane in LANES]
        results = [result for lane in lanes for result in lane.result()]
    if chosen >= set(COVERAGE):
        files = [f".coverage.{name}" for name in COVERAGE]
        results.append(runner.check("combine", ("coverage", "combine", *files)))
        Path(".coverage.combine").replace(".coverage")
        results.append(runner.check("coverage", ("coverage", "report", "--data-file=.coverage")))
    passed = all(result.passed for result in results)
    results.append(Result("total", time.monotonic() - started, passed))
    print("", *results, sep="\n")  # noqa: T201 - to a person
    sys.exit(not passed)


main()
