"""Turn the figures of all rounds into ratios and tables."""

import os
import platform
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Final, NamedTuple

from benchmarks.callers import DEFAULT, DELAYS
from benchmarks.execution import Figures
from benchmarks.variants import (
    BOTO3,
    BOTO3_SIGNS_OUT,
    COOKBOOK,
    HTTP,
    OURS,
    PLAIN_COOKBOOK,
    PROD,
)
from functions.operations import FUNCTIONS, WORKER, Operation

FILE: Final = Path(__file__).with_name("RESULTS.md")

type Key = tuple[str, str]
"""The name of a variant and the function that it implements."""
type Met = Mapping[tuple[str, str, int], Figures]
"""The figures that a caller meets, by variant, function and MB."""


class Measured(NamedTuple):
    """All the figures of a run."""

    rounds: list[dict[Key, Figures]]
    counts: dict[Key, Figures]
    met: list[Met]
    zip_size: int
    naive_zip_size: int


class Ratio(NamedTuple):
    """A figure of ours divided by a rival's, and the most that it may be; `inf` is no bar."""

    text: str
    ours: str
    figure: str
    rival: str
    bar: float


RATIOS: Final = (
    Ratio("cold start / Powertools cookbook", OURS, "cold_ms", COOKBOOK, 0.48),
    Ratio("cold start / the same without byte code", OURS, "cold_ms", PLAIN_COOKBOOK, 0.20),
    Ratio("cold start / naive boto3", OURS, "cold_ms", BOTO3, 0.74),
    Ratio("cold start / http.client", OURS, "cold_ms", HTTP, 3.5),
    Ratio("cold start with all of prod and a key / cookbook", PROD, "cold_ms", COOKBOOK, 0.56),
    Ratio("cold start with all of prod and a key / naive boto3", PROD, "cold_ms", BOTO3, 0.88),
    Ratio("first call / Powertools cookbook", OURS, "first_call_ms", COOKBOOK, 0.35),
    Ratio("warm CPU, traced / Powertools cookbook", OURS, "warm_us", COOKBOOK, 0.40),
    Ratio("warm CPU, not traced / naive boto3", OURS, "warm_unsampled_us", BOTO3, inf),
    Ratio("… / naive boto3 that also signs out", OURS, "warm_unsampled_us", BOTO3_SIGNS_OUT, 1),
    Ratio("peak memory / Powertools cookbook", OURS, "peak_mb", COOKBOOK, 0.62),
)
ZIP_BAR: Final = 0.20
"""The most that our zip may be, as a part of the naive one."""
WAITS: Final = {
    ("confirm_reset_password", "first_ms"): 200,
    ("update_password", "first_ms"): 170,
    ("reset_password", "first_ms"): 60,
    ("confirm_reset_password", "warm_ms"): 150,
}
"""The most milliseconds that a caller may wait with the default memory size."""
COLUMNS: Final = {
    "cold_ms": "cold ms",
    "first_call_ms": "first call ms",
    "cpu_ms": "CPU ms",
    "peak_mb": "peak MB",
    "modules": "modules",
    "minstr": "10⁶ instructions",
    "warm_us": "warm µs, traced",
    "warm_unsampled_us": "warm µs, not traced",
    "warm_tls_us": "warm µs over TLS, traced",
}
GB_SECOND: Final = 0.0000133334
"""The price in dollars for arm64 in us-east-1."""

_INTRODUCTION: Final = """\
# Benchmark

`make bench` writes this file. Compare ratios within one run: milliseconds depend on the machine.
Each round starts a fresh process for every variant, in an order that rotates. A ratio is taken
within a round. The tables show its median over all rounds, with the quartiles in brackets.

- *Ours* does all its work: it checks the request and the password rules, hides, logs, counts and
  traces, and every confirm also ends the user's sessions. A start reads the client secret and the
  password policy. Limits, events and the breach check are off, and no request has an
  `Idempotency-Key`.
- *With all of prod and a key*: everything that production has is on, and each request has a new
  `Idempotency-Key`, as the requests of our own client have.
- The rivals (`benchmarks/rivals/`) make the one Cognito call that the operation is named for. The
  cookbook also validates, logs, counts and traces. Naive boto3 and `http.client` do nothing else.
  The worker is compared with their reset, which makes the same call.
- Every function runs under AWS's Lambda runtime client, in an interpreter that sees nothing but its
  bundle, and calls a Cognito stub on loopback over TLS. Nothing here ran on AWS.
- *Cold* is the time from the start of the process to the first answer, and *first call* the part of
  it after the initialisation. CPU and peak memory are those of that process.
- *Warm* is the processor time of a later call, with the HTTP layer stubbed inside the process, or
  over one TLS connection.
- Each variant trusts what it would trust on AWS, and the certificate of this run. `http.client`
  trusts only that certificate, because it represents the least that is possible.
"""
_WAITS: Final = """\
Milliseconds with all of `prod`, and a new `Idempotency-Key` for each request. Only a caller who
finds no warm function waits for the start, during which Lambda gives a whole processor. Afterwards
a function gets `memory / 1769` of one, in periods of 20 ms. Each service takes longer than the stub
by the time that AWS needs: {delays}. Dollars are those of the time, for a million requests at
${price} for a GB-second (arm64). Lambda bills the start, too.
"""


def write(measured: Measured) -> str:
    """Write `RESULTS.md`, and return its text."""
    text = "\n".join(_document(measured)) + "\n"
    FILE.write_text(text)
    return text


def _document(measured: Measured) -> Iterator[str]:
    yield _INTRODUCTION
    yield machine(f"make bench ROUNDS={len(measured.rounds)}")
    yield from ("", "## Ratios", "")
    cells = ([ratio.text, _bar(ratio.bar), *_ratios(measured, ratio)] for ratio in RATIOS)
    yield from table(["", "at most", *FUNCTIONS], cells)
    ours, naive = measured.zip_size, measured.naive_zip_size
    share = f"{ours / naive:.2f}{_missed(ours / naive, ZIP_BAR)}"
    yield from ("", f"The zip has {ours:,} bytes, and the naive one {naive:,}: {share} of it,")
    yield f"and at most {ZIP_BAR:.2f}."
    yield from ("", "## What a caller meets", "")
    delays = ", ".join(f"{service} {1e3 * delay:g} ms" for service, delay in DELAYS.items())
    yield _WAITS.format(delays=delays, price=f"{GB_SECOND:.10f}")
    header = ["function", "MB", "", "start", "first call", "at most", "warm call", "at most"]
    keys = sorted(measured.met[0], key=lambda key: (FUNCTIONS.index(key[1]), key[0] != PROD))
    rows = (_waits(measured.met, key) for key in keys)
    yield from table([*header, "$ cold", "$ warm"], rows)
    yield from ("", "## Medians", "")
    rows = (_medians(measured, key) for key in measured.rounds[0])
    yield from table(["function", "", *COLUMNS.values()], rows)


def machine(command: str) -> str:
    """Say what measured, and when."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `{command}`, on {os.cpu_count()} processors"
        f" ({cpu[1] if cpu else platform.machine()}), with Python {platform.python_version()} and"
        f" {ssl.OPENSSL_VERSION}. The load at the end was {os.getloadavg()[0]:.1f}."
    )


def _ratios(measured: Measured, ratio: Ratio) -> Iterator[str]:
    """Give a cell for each function, which is empty if one side was not measured."""
    for function in FUNCTIONS:
        compared = Operation.RESET_PASSWORD.id if function == WORKER else function
        ours, rival = (ratio.ours, function), (ratio.rival, compared)
        if all(ratio.figure in measured.rounds[0].get(key, {}) for key in (ours, rival)):
            values = [one[ours][ratio.figure] / one[rival][ratio.figure] for one in measured.rounds]
            # Twice, because `quantiles` needs two values. It changes no median.
            low, middle, high = quantiles(values * 2, n=4, method="inclusive")
            yield f"{middle:.2f} [{low:.2f}-{high:.2f}]{_missed(middle, ratio.bar)}"
        else:
            yield ""


def _waits(met: list[Met], key: tuple[str, str, int]) -> list[str]:
    name, function, memory = key
    medians = {figure: median(one[key][figure] for one in met) for figure in met[0][key]}
    cells = [function, f"{memory}", name, f"{medians['start_ms']:.0f}"]
    for figure in ("first_ms", "warm_ms"):
        is_judged = (name, memory) == (PROD, DEFAULT)
        bar = WAITS.get((function, figure), inf) if is_judged else inf
        cells += [f"{medians[figure]:.0f}{_missed(medians[figure], bar)}", _bar(bar)]
    billed = (medians["start_ms"] + medians["first_ms"], medians["warm_ms"])
    return cells + [f"{ms * memory / 1024 * GB_SECOND * 1e3:.2f}" for ms in billed]


def _medians(measured: Measured, key: Key) -> list[str]:
    name, function = key
    cells = [function, name]
    for figure in COLUMNS:
        values = [one[key][figure] for one in measured.rounds if figure in one[key]]
        values = values or [v for f, v in measured.counts.get(key, {}).items() if f == figure]
        cells.append(f"{median(values):.4g}" if values else "")
    return cells


def _bar(bar: float) -> str:
    return "" if bar == inf else f"{bar:g}"


def _missed(value: float, bar: float) -> str:
    return " **missed**" if value > bar else ""


def table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Give the lines of a Markdown table."""
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(cells)} |"
