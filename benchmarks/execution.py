"""Measures one fresh process."""

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
from tests.support.runtime import Runtime, RuntimeFailure

WARM_CALLS: Final = 40
"""In each of the probe's repeats."""
PATIENCE: Final = 180
"""Seconds for one answer; under valgrind everything takes thirty times as long."""

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
    """A runtime whose process tells what it used."""

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
        """Of this program alone: `ru_maxrss` counts what its parent had before it, too."""
        return self._read_bytes("VmHWM")

    @property
    def resident_bytes(self) -> int:
        """The memory that it has now."""
        return self._read_bytes("VmRSS")

    def _read_bytes(self, name: str) -> int:
        match = re.search(rf"{name}:\s*(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(match[1]) * 1024 if match else 0

    def stop(self) -> struct_rusage:
        """End the process, so that valgrind writes its summary, and return what it used."""
        self._process.terminate()
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return usage

    def ask(self, event: object) -> None:
        """Raise `RuntimeFailure` if it did not succeed, even if the answer does not say so."""
        answer = self.invoke(event, PATIENCE)
        printed = self.printed
        failed = any(name in printed for name in (HIDDEN, *Degradation))
        refused = answer.get("statusCode", 200) not in (200, 204)
        if failed or refused or answer.get("batchItemFailures"):
            raise RuntimeFailure(f"{answer}\n{printed}")


def run_cold(variant: Variant, runtime_client: Path) -> Figures:
    """From the start of a process to its first answer."""
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


def run_script(arguments: Sequence[str], environment: dict[str, str]) -> Figures:
    """From the start of a Python without Lambda's runtime client to its end."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", *arguments], env=environment, cwd="/"
    )
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeFailure(f"{arguments} ended with {process.returncode}")
    return {"cold_ms": elapsed * 1e3, "cpu_ms": (usage.ru_utime + usage.ru_stime) * 1e3}


def count_instructions(variant: Variant, runtime_client: Path) -> Figures:
    """Millions of instructions from start to first answer; nothing where valgrind is missing."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return {}
    prefix = (valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
    with Process(variant, runtime_client, prefix=prefix) as process:
        process.ask(variant.event)
        process.stop()
        match = re.search(r"I\s+refs:\s+([\d,]+)", process.printed)
    if match is None:
        raise RuntimeFailure("valgrind has not said how many instructions there were")
    return {"minstr": int(match[1].replace(",", "")) / 1e6}
