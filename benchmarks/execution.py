"""Measure one fresh process."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from resource import struct_rusage
from typing import Final, Self

from benchmarks.stub import ANSWERS
from benchmarks.variants import Variant
from functions.records import HIDDEN, Degradation
from infra.packaging.bundle import ROOT
from tests.support import PATIENCE
from tests.support.runtime import Runtime, RuntimeFailure

WARM_CALLS: Final = 40
"""The calls in each of the probe's repeats."""

type Figures = dict[str, float]


@contextmanager
def serve_aws(folder: Path, delays: Mapping[str, float] | None = None) -> Iterator[str]:
    """Serve the stub in another process, so that its work is not measured."""
    command = [sys.executable, "-m", "benchmarks.stub", str(folder), json.dumps(delays or {})]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        yield process.stdout.readline().strip() if process.stdout else ""
        # Leaving the block closes its standard input, which ends it.


class Process(Runtime):
    """A runtime that can also measure its process."""

    def __init__(
        self,
        variant: Variant,
        runtime_client: Path,
        *,
        probe: bool = False,
        prefix: Sequence[str] = (),
    ) -> None:
        handler, environment = variant.handler, variant.environment
        if probe:
            handler, environment = "probe.handler", environment | {"PROBED_HANDLER": handler}
        if prefix:
            environment = environment | {"PYTHONHASHSEED": "0"}
        super().__init__(variant.bundle, runtime_client, handler, environment)
        if prefix:
            # `-I` would ignore the seed, without which no two counts are the same.
            self._command = [*prefix, *self._command]
            position = self._command.index("-I")
            self._command[position : position + 1] = ["-s", "-P"]

    def __enter__(self) -> Self:
        self.started = time.perf_counter()
        return super().__enter__()

    @property
    def pid(self) -> int:
        """The process that runs the function."""
        return self._process.pid

    @property
    def peak_bytes(self) -> int:
        """The peak of this program. `ru_maxrss` includes what the parent had before the fork."""
        match = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(match[1]) * 1024 if match else 0

    def stop(self) -> struct_rusage:
        """End the process, so that valgrind writes its summary, and return what it used."""
        self._process.terminate()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    def ask(self, event: object) -> None:
        """Invoke the function, and raise `RuntimeFailure` if anything failed, even if hidden."""
        answer = self.invoke(event, PATIENCE)
        printed = self.printed
        failed = any(name in printed for name in (HIDDEN, *Degradation))
        refused = answer.get("statusCode", 200) not in (200, 204)
        if failed or refused or answer.get("batchItemFailures"):
            raise RuntimeFailure(f"{answer}\n{printed}")


def run_cold(variant: Variant, runtime_client: Path) -> Figures:
    """Measure a process from its start to its first answer."""
    with Process(variant, runtime_client) as process:
        process.ask(variant.event)
        handed_over, answered = process.times[:2]
        peak = process.peak_bytes
        usage = process.stop()
    return {
        "cold_ms": (answered - process.started) * 1e3,
        "first_call_ms": (answered - handed_over) * 1e3,
        "cpu_ms": (usage.ru_utime + usage.ru_stime) * 1e3,
        "peak_mb": peak / 1e6,
    }


def run_warm(variant: Variant, runtime_client: Path) -> Figures:
    """Measure the calls after the first one, and the modules that the first one imported."""
    answers = {action: json.dumps(answer) for action, answer in ANSWERS.items()}
    probe = {"event": variant.event, "calls": WARM_CALLS, "answers": answers}
    with Process(variant, runtime_client, probe=True) as process:
        process.ask(variant.event)
        measured: Figures = process.invoke({"probe": probe}, PATIENCE)
    return measured


def count_instructions(variant: Variant, runtime_client: Path) -> Figures:
    """Return the millions of instructions up to the first answer, or nothing without valgrind."""
    print(f"instructions of {variant.name}, {variant.function}", file=sys.stderr)
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return {}
    prefix = (valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
    with Process(variant, runtime_client, prefix=prefix) as process:
        process.ask(variant.event)
        process.stop()
        match = re.search(r"I\s+refs:\s+([\d,]+)", process.printed)
    if match is None:
        raise RuntimeFailure("valgrind did not print the number of instructions")
    return {"minstr": int(match[1].replace(",", "")) / 1e6}
