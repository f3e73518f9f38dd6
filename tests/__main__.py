"""`make test`: run every check, even after one has failed, and end with a summary.

`make check` runs those that take seconds. Four checks run at a time, the longest first: most of
them spend half of their time waiting, so two would not keep two cores busy.
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

ABREAST: Final = 4
PYTEST: Final = ("pytest", "--durations=5")
# They need both cores, so they run alone.
LOADS: Final = ("tests/e2e/test_bursts.py", "tests/e2e/test_load.py")
FAULTS: Final = "tests/e2e/test_faults.py"
PAGE: Final = "tests/e2e/test_page.py"
# These plugins take a second to import, and only some checks use them.
PLAIN: Final = (*PYTEST, "-p", "no:schemathesis", "-p", "no:hypothesispytest")
# `tests/unit` runs every line of `functions`, and `tests/infra` every line of `infra`. The other
# tests run functions in processes of their own, where coverage cannot be measured. Tests that
# make hundreds of requests are marked `no_cover`: tracing slows them down, and no line should count
# as tested by chance.
COVERED: Final = (*PYTEST, "--cov-report=term", "-p", "no:schemathesis")
# The words of `tests/words.txt` are not plain English; `-` is codespell's own list of misspellings.
SPELLING: Final = ("codespell_lib", "-D", "tests/words.txt", "-D", "-")
# All of proselint's checks except typography, which wants curly quotes even in code.
PROSE: Final = ("proselint", "check", "--config", "tests/proselint.json")
DOCUMENTS: Final = sorted(
    str(one) for path in ("*.md", "docs/**/*.md") for one in Path().glob(path)
)
CHECKS: Final[dict[str, tuple[str, ...]]] = {
    "unit": (*COVERED, "--cov=functions", "tests/unit"),
    "e2e": (*PYTEST, "tests/e2e", *(f"--ignore={other}" for other in (*LOADS, FAULTS, PAGE))),
    "infra": (*COVERED, "--cov=infra", "tests/infra"),
    "faults": (*PLAIN, FAULTS),
    "page": (*PLAIN, PAGE),
    "local": (*PLAIN, "tests/local"),
    "types": ("mypy",),
    "bundle": (*PLAIN, "tests/bundle", "tests/web"),
    "format": ("ruff", "format", "--check"),
    "lint": ("ruff", "check"),
    "prose": (*PROSE, *DOCUMENTS),
    "spelling": SPELLING,
    "load": (*PLAIN, *LOADS),
}
PATIENT: Final = {"infra", "types", "bundle"}
"""Checks without short time limits. They have a lower priority, so that the others meet theirs."""
ALONE: Final = "load"
"""The check that runs after all others."""


class Result(NamedTuple):
    """The outcome of one check."""

    name: str
    seconds: float
    passed: bool

    def __str__(self) -> str:
        return f"{self.name:<9}{self.seconds:>7.1f} s  {'passed' if self.passed else 'FAILED'}"


class Runner:
    """The running checks, which a signal ends."""

    def __init__(self) -> None:
        self._running: set[Popen[str]] = set()
        self._lock = Lock()
        self._stopped = False

    def check(self, name: str, command: tuple[str, ...]) -> Result:
        """Run one check and print its output."""
        started = time.monotonic()
        with self._lock:
            if self._stopped:
                return Result(name, 0.0, passed=False)
            niceness = 5 if name in PATIENT else 0
            process = Popen(
                ["nice", "-n", str(niceness), sys.executable, "-m", *command],
                stdout=PIPE,
                stderr=STDOUT,
                text=True,
                env=os.environ | {"COVERAGE_FILE": f".coverage.{name}"},
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
        while running := list(self._running):
            for process in running:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        os._exit(128 + number)


def main() -> None:
    """Exit with 1 if anything failed."""
    started = time.monotonic()
    chosen = sys.argv[1:] or list(CHECKS)
    for name in chosen:
        if name not in CHECKS:
            sys.exit(f"There is no check {name!r}: choose from {', '.join(CHECKS)}.")
    runner = Runner()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, runner.stop)
    shared = [name for name in chosen if name != ALONE]
    with ThreadPoolExecutor(ABREAST) as threads:
        results = list(threads.map(runner.check, shared, map(CHECKS.__getitem__, shared)))
    if ALONE in chosen:
        results.append(runner.check(ALONE, CHECKS[ALONE]))
    passed = all(result.passed for result in results)
    results.append(Result("total", time.monotonic() - started, passed))
    print("", *results, sep="\n")  # noqa: T201 - to a person
    sys.exit(not passed)


main()
