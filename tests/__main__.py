"""`make test`: every check runs, whatever the ones before it found, and a summary ends it.

`make check` names those that take seconds.
"""

import signal
import sys
import time
from subprocess import Popen
from typing import Final, NamedTuple

CHECKS: Final = {
    "format": ("ruff", "format", "--check"),
    "lint": ("ruff", "check"),
    "types": ("mypy",),
    "tests": ("pytest", "--cov", "--durations=5"),
}


class Result(NamedTuple):
    """What one check came to."""

    name: str
    seconds: float
    passed: bool

    def __str__(self) -> str:
        return f"{self.name:<8}{self.seconds:>8.1f} s  {'passed' if self.passed else 'FAILED'}"


def main() -> None:
    """Exit with 1 if anything failed."""
    chosen = sys.argv[1:] or CHECKS
    results = [_check(name, *CHECKS[name]) for name in chosen]
    passed = all(result.passed for result in results)
    results.append(Result("total", sum(result.seconds for result in results), passed))
    print("", *results, sep="\n")  # noqa: T201 - it talks to a person
    sys.exit(not passed)


def _check(name: str, module: str, *arguments: str) -> Result:
    print(f"\n{name}", flush=True)  # noqa: T201
    started = time.monotonic()
    with Popen([sys.executable, "-m", module, *arguments]) as process:

        def stop(number: int, _frame: object) -> None:
            # The terminal has told the child of Ctrl-C itself; leaving the block waits for it.
            if number == signal.SIGTERM:
                process.terminate()
            sys.exit(128 + number)

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        code = process.wait()
    return Result(name, time.monotonic() - started, code == 0)


main()
