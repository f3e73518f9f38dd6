"""Run the checks of `make test`, or with `all` those of `make test-all`, and end with a summary.

A failure does not stop the other checks. `make check` names those that take seconds.
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
from typing import Final

AT_A_TIME: Final = 2
PYTEST: Final = ("pytest", "--durations=5", "-p", "no:schemathesis")
# The browser, generated requests and clients, packaging, adoption, `make verify`, and the load.
REACH: Final = (
    "tests/e2e/test_adoption.py",
    "tests/e2e/test_amplify_ui.py",
    "tests/e2e/test_bursts.py",
    "tests/e2e/test_deployment.py",
    "tests/e2e/test_generators.py",
    "tests/e2e/test_javascript.py",
    "tests/e2e/test_openapi.py",
    "tests/e2e/test_page.py",
    "tests/e2e/test_verification.py",
    "tests/web/test_package.py",
)
RULES: Final = ("tests/infra/test_nag.py", "tests/infra/test_rules.py")
# `tests/unit` runs every line of `functions`, and `tests/infra` every line of `infra`. The other
# tests run functions in processes of their own, where coverage cannot be measured.
PRODUCT: Final[dict[str, tuple[str, ...]]] = {
    "e2e": (*PYTEST, "tests/e2e", "tests/web", *(f"--ignore={file}" for file in REACH)),
    "unit": (*PYTEST, "--cov=functions", "--cov-report=term", "tests/unit"),
    "infra": (
        *PYTEST,
        "--cov=infra",
        "--cov-report=term",
        "tests/infra",
        *(f"--ignore={file}" for file in RULES),
    ),
}
TOOLING: Final[dict[str, tuple[str, ...]]] = {
    "reach": ("pytest", "--durations=5", *REACH),
    "rules": (*PYTEST, *RULES),
    "bundle": (*PYTEST, "tests/bundle"),
    "floor": (*PYTEST, "tests/floor"),
    "local": (*PYTEST, "tests/local"),
    "types": ("mypy",),
    "imports": ("lint-imports", "--no-cache"),
    "format": ("ruff", "format", "--check"),
    "lint": ("ruff", "check"),
    "prose": ("python", "-m", "tests.prose"),
    # The words of `tests/words.txt` are not plain English; `-` is codespell's own list.
    "spelling": ("codespell", "-D", "tests/words.txt", "-D", "-"),
}
CHECKS: Final = PRODUCT | TOOLING
LINE: Final = "{:<9}{:>7.1f} s  {}"


class Runner:
    """The running checks, which a signal ends."""

    def __init__(self) -> None:
        self._running: set[Popen[str]] = set()
        self._lock = Lock()
        self._stopped = False

    def check(self, name: str) -> tuple[str, bool]:
        """Run one check and print its output; return its line of the summary."""
        tool, *arguments = CHECKS[name]
        started = time.monotonic()
        with self._lock:
            if self._stopped:
                return name, False
            process = Popen(
                [Path(sys.executable).with_name(tool), *arguments],
                stdout=PIPE,
                stderr=STDOUT,
                text=True,
                env=os.environ | {"COVERAGE_FILE": f".coverage.{name}"},
            )
            self._running.add(process)
        output, _ = process.communicate()
        passed = process.returncode == 0
        line = LINE.format(name, time.monotonic() - started, "passed" if passed else "FAILED")
        with self._lock:
            self._running.discard(process)
            print(f"\n{output.rstrip()}\n{line}", flush=True)  # noqa: T201 - to a person
        return line, passed

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
    chosen = list(CHECKS) if sys.argv[1:] == ["all"] else sys.argv[1:] or list(PRODUCT)
    if unknown := set(chosen) - set(CHECKS):
        sys.exit(f"There is no check {', '.join(unknown)}: choose from {', '.join(CHECKS)}.")
    runner = Runner()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, runner.stop)
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        lines, passes = zip(*threads.map(runner.check, chosen), strict=True)
    verdict = "passed" if all(passes) else "FAILED"
    total = LINE.format("total", time.monotonic() - started, verdict)
    print("", *lines, total, sep="\n")  # noqa: T201 - to a person
    sys.exit(not all(passes))


main()
