"""What the figures of all rounds come to, as ratios, tables and files."""

import json
import os
import platform
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from math import inf
from pathlib import Path
from statistics import median, quantiles
from typing import Final, NamedTuple

from benchmarks import plots
from benchmarks.callers import DEFAULT, DELAYS, GROWN, GROWTH, MEMORIES
from benchmarks.execution import Figures
from benchmarks.variants import (
    BOTO3,
    BOTO3_SIGNS_OUT,
    COOKBOOK,
    FEATURES,
    HTTP,
    MOST,
    OURS,
    PLAIN_COOKBOOK,
    PROD,
    RIVALS,
)
from functions.operations import FUNCTIONS, WORKER, Operation
from infra.packaging.bundle import ROOT
from infra.settings import Deployment

FOLDER: Final = Path(__file__).parent
NOTHING: Final = "python -c pass"
SCRIPT: Final = "http.client, no runtime client"

type Key = tuple[str, str | None]
type Round = dict[Key, Figures]
type Met = dict[tuple[str, str, int], Figures]
"""What a caller meets of a variant of a function with so many MB."""


class Measured(NamedTuple):
    """All the figures of a run."""

    rounds: list[Round]
    counts: Round
    met: list[Met]
    grown: dict[str, Figures]
    """By the function."""
    errors: dict[int, float]
    """What a busy loop got more than its share, by the MB."""
    sizes: dict[str, int]


class Ratio(NamedTuple):
    """A figure of ours against a rival's, and the most that it may be; `inf` is no bar."""

    ours: str
    figure: str
    rival: str
    bar: float
    text: str


RATIOS: Final = {
    "cold_vs_cookbook": Ratio(OURS, "cold_ms", COOKBOOK, 0.40, "cold start / Powertools cookbook"),
    "cold_vs_cookbook_without_bytecode": Ratio(
        OURS, "cold_ms", PLAIN_COOKBOOK, 0.17, "cold start / the same without byte code"
    ),
    "cold_vs_naive_boto3": Ratio(OURS, "cold_ms", BOTO3, 0.60, "cold start / naive boto3"),
    "cold_vs_http_client": Ratio(OURS, "cold_ms", HTTP, 3.5, "cold start / http.client"),
    "prod_cold_vs_cookbook": Ratio(
        PROD, "cold_ms", COOKBOOK, 0.50, "cold start with all of prod and a key / cookbook"
    ),
    "prod_cold_vs_naive_boto3": Ratio(
        PROD, "cold_ms", BOTO3, 0.75, "cold start with all of prod and a key / naive boto3"
    ),
    "first_call_vs_cookbook": Ratio(
        OURS, "first_call_ms", COOKBOOK, 0.35, "first call / Powertools cookbook"
    ),
    "warm_cpu_vs_cookbook": Ratio(
        OURS, "warm_us", COOKBOOK, 0.40, "warm CPU, traced / Powertools cookbook"
    ),
    "warm_cpu_vs_naive_boto3": Ratio(
        OURS, "warm_unsampled_us", BOTO3, inf, "warm CPU, not traced / naive boto3"
    ),
    "warm_cpu_vs_naive_boto3_that_signs_out": Ratio(
        OURS, "warm_unsampled_us", BOTO3_SIGNS_OUT, 1.0, "… / naive boto3 that also signs out"
    ),
    "peak_memory_vs_cookbook": Ratio(
        OURS, "peak_mb", COOKBOOK, 0.60, "peak memory / Powertools cookbook"
    ),
}
ZIP_BAR: Final = 0.18
"""Our zip, as a part of the naive one."""

MEETS: Final = {
    ("confirm_reset_password", "first_ms"): 200,
    ("update_password", "first_ms"): 170,
    ("reset_password", "first_ms"): 60,
    ("confirm_reset_password", "warm_ms"): 150,
}
"""The most milliseconds that a caller may wait, with the default size."""
_WAITED: Final = {
    "reset_password": 1001.8,
    "confirm_reset_password": 1002.0,
    "update_password": 119.8,
}
"""Of commit `f1c0d86`, where resets and confirmations waited for an interval."""

GB_SECOND: Final = 0.0000133334
"""Dollars, for arm64 in us-east-1."""

_HOW_TO_READ: Final = """\
Written by `make bench`: run it again before you compare anything with it, and compare ratios, since
milliseconds are this machine's. Each round starts a fresh process for every variant, in an order
that rotates. A ratio is taken within a round. The tables have its median over all rounds, with the
quartiles in brackets. Other work on the machine slows both sides of a ratio alike.

What is on and off:

- *Ours* does all its work: it checks the request and the password rules, hides, logs, counts and
  traces. A start reads the client secret and the password policy, and every confirm also ends the
  user's sessions. The optional features are off: limits, events, breached passwords. No request has
  an `Idempotency-Key`.
- *With all of prod and a key* has everything on that production has on, and each request has a new
  `Idempotency-Key`, as the requests of our own client have.
- The rivals (`benchmarks/rivals/`) make the one Cognito call that the operation is named for. The
  cookbook also validates, logs, counts and traces; naive boto3 and `http.client` do nothing else.
  The worker is compared with their reset, which makes the same call.
- Warm calls are traced (*sampled*) or not. X-Ray samples the first request of each second and 5 %
  of the others.

How it is measured:

- Every function, rivals too, runs under AWS's Lambda runtime client in an interpreter that sees
  nothing but its bundle, and asks a Cognito on loopback by TLS, in another process. Nothing here
  ran on AWS: Lambda's lazy loading of code is not in it, and its share of a processor and the time
  that the services take are only in *what a caller meets*.
- *Cold* is from the start of the process to the first answer, *first call* the part of it after the
  initialisation. CPU and peak memory are those of that process.
- *Warm* is processor time of one call after the first: with the HTTP layer stubbed inside the
  process, and over one TLS connection.
- Each trusts what it would trust on AWS, and the authority of this run: the rivals all that
  botocore brings, ours what its bundle has for AWS; `http.client` trusts that one authority only,
  because it represents the least that is possible.
"""
_MEETS: Final = """\
Milliseconds, with all of `prod` and a new `Idempotency-Key` for each request. The *start* has a
whole processor, as on Lambda, and a caller waits for it only where no function is warm. From the
first call on, a function has `memory / 1769` of a processor, in periods of 20 ms. To what loopback
takes, each service adds its own time: {delays}. Of its share, a busy loop got {errors} too much.
"""
_BILL: Final = """\
Lambda bills the start too, since August 2025. Dollars are those of the time alone, for a million
requests that succeed, at ${price} for a GB-second (arm64); a million requests cost $0.20 more. A
refused request is one that Cognito refuses: under `hide`, confirm pads it to the next multiple of
{interval:g} s, and a reset is queued like any other. A malformed one is no JSON.
"""
_GROWTH: Final = """\
Processor time of a call and resident memory, over TLS, with all of `prod` and a new
`Idempotency-Key` for each of {calls:,} calls in one process.
"""
_WAITS: Final = """\
Milliseconds of a request that succeeds in a warm function with {memory} MB and all of `prod`.
*Before* is commit `f1c0d86`, where resets and confirmations waited for an interval; it was measured
with a whole processor, 10 ms for each call of AWS and 80 ms for the breach service.
"""


def write(measured: Measured) -> str:
    """Write `results.json`, its picture and `RESULTS.md`, and return the last one."""
    rounds, met = measured.rounds, measured.met
    results: dict[str, object] = {
        function: {
            name: round(spread[1], 3)
            for name, ratio in RATIOS.items()
            if (spread := _ratio(rounds, function, ratio))
        }
        for function in FUNCTIONS
    }
    results |= measured.sizes
    results["cold_start_ms"] = {
        name: _parts(rounds, name) for name in (OURS, COOKBOOK, BOTO3, HTTP)
    }
    results["caller_ms"] = {
        function: {
            name: {figure: round(value, 1) for figure, value in medians.items()}
            for name in (PROD, COOKBOOK, BOTO3)
            if (medians := _medians(met, (name, function, DEFAULT)))
        }
        for function in FUNCTIONS
        if (PROD, function, DEFAULT) in met[0]
    }
    plots.draw_bench(results)
    (FOLDER / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    text = "\n".join(_document(measured))
    (FOLDER / "RESULTS.md").write_text(text)
    return text


def _medians(met: list[Met], key: tuple[str, str, int]) -> Figures:
    return {figure: median(one[key][figure] for one in met) for figure in met[0].get(key, {})}


def _parts(rounds: list[Round], name: str) -> dict[str, float]:
    """The medians of what a cold start consists of, for the operation that does most."""
    key: Key = (name, MOST.id)
    python = median(one[NOTHING, None]["cold_ms"] for one in rounds)
    first_call = median(one[key]["first_call_ms"] for one in rounds)
    cold = median(one[key]["cold_ms"] for one in rounds)
    return {
        "Python": round(python, 1),
        "initialisation": round(cold - first_call - python, 1),
        "first call": round(first_call, 1),
    }


def _document(measured: Measured) -> Iterator[str]:
    rounds, counts = measured.rounds, measured.counts
    yield from ("# Benchmark", "", _HOW_TO_READ)
    locks = (RIVALS / "requirements.txt", ROOT / "tests" / "bundle" / "requirements.txt")
    yield from machine(
        f"make bench ROUNDS={len(rounds)}",
        chain.from_iterable(map(pins, locks)),
        instructions="one run of each, by valgrind"
        if any(counts.values())
        else "none: no valgrind here",
    )
    yield from ("## Ratios", "")
    header = ["", "at most", *FUNCTIONS]
    yield from table(header, (_ratio_cells(rounds, ratio) for ratio in RATIOS.values()))
    yield from _tabulate_met(measured.met, measured.errors)
    yield from _tabulate_growth(measured.grown)
    for function in FUNCTIONS:
        yield from ("", f"## {function}", "")
        shown = [name for name in FEATURES if name != PROD or function == MOST.id]
        names = [name for name, of in rounds[0] if of in (function, None) and name not in shown]
        yield from _figures(rounds, counts, function, names)
    yield from ("", f"## What the features of production add, for {MOST.id}", "")
    yield "The breached passwords are asked for without botocore, and so by TLS also where HTTP is"
    yield "stubbed."
    yield ""
    yield from _figures(rounds, counts, MOST.id, [OURS, *FEATURES])
    yield from ("", "## Size of the zip", "")
    sizes = measured.sizes
    ours = sizes["zip_bytes"]
    yield from table(
        ["", "bytes", "ours is", "at most"],
        (
            [name, f"{size:,}", f"{ours / size:.2f}{_missed(ours / size, bar)}", _bar(bar)]
            for (name, size), bar in zip(sizes.items(), (inf, ZIP_BAR), strict=True)
        ),
    )
    yield ""


def _tabulate_met(met: list[Met], errors: Mapping[int, float]) -> Iterator[str]:
    operations = [one.id for one in Operation if (PROD, one.id, DEFAULT) in met[0]]
    rivals = [key for key in met[0] if key[0] != PROD]
    ours = [(PROD, function, memory) for function in operations for memory in MEMORIES]
    yield from ("", "## What a caller meets", "")
    delays = [f"{service} {seconds * 1e3:g} ms" for service, seconds in DELAYS.items()]
    wrong = [f"{error:+.1%} ({memory} MB)" for memory, error in errors.items()]
    yield _MEETS.format(delays=", ".join(delays), errors=", ".join(wrong))
    header = ["function", "MB", "", "start", "first call", "at most", "warm call", "at most"]
    yield from table(header, (_meeting(met, key) for key in (*ours, *rivals)))
    yield from ("", "## What is billed", "")
    yield _BILL.format(
        price=f"{GB_SECOND:.10f}", interval=Deployment.of_stage("prod").response_interval
    )
    header = ["function", "MB", "cold", "warm", "refused", "malformed", "$ cold", "$ warm"]
    yield from table(header, (_bill(met, key) for key in ours))
    yield from ("", "## What an honest caller waits", "")
    yield _WAITS.format(memory=DEFAULT)
    rows = (
        [function, f"{_WAITED.get(function, '')}", f"{warm:.1f}"]
        for function in operations
        for warm in (_medians(met, (PROD, function, DEFAULT))["warm_ms"],)
    )
    yield from table(["function", "before", "now"], rows)


def _meeting(met: list[Met], key: tuple[str, str, int]) -> list[str]:
    name, function, memory = key
    cells = [function, f"{memory}", name]
    for figure in ("init_ms", "first_ms", "warm_ms"):
        values = [one[key][figure] for one in met]
        bar = MEETS.get((function, figure), inf) if (name, memory) == (PROD, DEFAULT) else inf
        cells.append(f"{_quartiles(values)}{_missed(median(values), bar)}")
        cells += [] if figure == "init_ms" else [_bar(bar)]
    return cells


def _bill(met: list[Met], key: tuple[str, str, int]) -> list[str]:
    _, function, memory = key
    medians = _medians(met, key)
    cold = medians["init_ms"] + medians["first_ms"]
    kinds = (cold, *(medians.get(f"{kind}_ms") for kind in ("warm", "refused", "malformed")))
    dollars = [ms * memory / 1024 * GB_SECOND * 1e3 for ms in (cold, medians["warm_ms"])]
    return [
        *(function, f"{memory}"),
        *("" if ms is None else f"{ms:.0f}" for ms in kinds),
        *(f"{amount:.2f}" for amount in dollars),
    ]


def _tabulate_growth(grown: Mapping[str, Figures]) -> Iterator[str]:
    yield from ("", "## What a call costs after thousands of others", "")
    yield _GROWTH.format(calls=GROWN)
    early, late = f"calls 1 to {GROWTH}", f"calls {GROWN - GROWTH + 1:,} to {GROWN:,}"
    header = ["function", f"ms, {early}", f"ms, {late}", f"MB after {early}", f"MB after {late}"]
    rows = (
        [function, *(f"{figures[name]:.2f}" for name in ("early_ms", "late_ms"))]
        + [f"{figures[name]:.1f}" for name in ("early_mb", "late_mb")]
        for function, figures in grown.items()
    )
    yield from table(header, rows)


def machine(command: str, packages: Iterable[str], **more: str) -> Iterator[str]:
    """What measured, as a section of a document."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    rows = {
        "command": f"`{command}`",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{os.cpu_count()} of {cpu[1] if cpu else platform.machine()}",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "load at the end": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "Python": f"{platform.python_version()}, {ssl.OPENSSL_VERSION}",
        "packages": ", ".join(packages),
    }
    yield from ("## Machine", "")
    yield from table(["", ""], map(list, (rows | more).items()))
    yield ""


def pins(lock: Path) -> list[str]:
    """The packages of a requirements file, with their versions."""
    return re.findall(r"^\S+==\S+", lock.read_text(), re.MULTILINE)


def _figures(rounds: list[Round], counts: Round, function: str, names: list[str]) -> Iterator[str]:
    columns = {
        "cold_ms": "cold ms",
        "first_call_ms": "first call ms",
        "cpu_ms": "CPU ms",
        "peak_mb": "peak MB",
        "modules": "modules",
        "minstr": "10⁶ instructions",
        "warm_us": "warm µs, sampled",
        "warm_unsampled_us": "warm µs, not sampled",
        "warm_tls_us": "warm µs over TLS, sampled",
    }
    header = ["", f"times `{NOTHING}`", *columns.values()]
    yield from table(header, (_row(rounds, counts, function, name, columns) for name in names))


def _row(
    rounds: list[Round],
    counts: Round,
    function: str,
    name: str,
    columns: Iterable[str],
) -> list[str]:
    key: Key = (name, function) if (name, function) in rounds[0] else (name, None)
    floors = [one[key]["cold_ms"] / one[NOTHING, None]["cold_ms"] for one in rounds]
    cells = [name, f"{median(floors):.1f}"]
    for column in columns:
        if column in rounds[0][key]:
            cells.append(_quartiles([one[key][column] for one in rounds]))
        elif column in counts.get(key, {}):
            cells.append(f"{counts[key][column]:.0f}")
        else:
            cells.append("")
    return cells


def _ratio(rounds: list[Round], function: str, ratio: Ratio) -> tuple[float, float, float] | None:
    """The first quartile, the median and the third quartile, if both sides were measured."""
    compared = Operation.RESET_PASSWORD.id if function == WORKER else function
    ours, rival = (ratio.ours, function), (ratio.rival, compared)
    if not all(ratio.figure in rounds[0].get(key, {}) for key in (ours, rival)):
        return None
    return _spread([one[ours][ratio.figure] / one[rival][ratio.figure] for one in rounds])


def _ratio_cells(rounds: list[Round], ratio: Ratio) -> list[str]:
    cells = [ratio.text, _bar(ratio.bar)]
    for function in FUNCTIONS:
        spread = _ratio(rounds, function, ratio)
        if spread is None:
            cells.append("")
        else:
            low, middle, high = spread
            cells.append(f"{middle:.2f} [{low:.2f}-{high:.2f}]{_missed(middle, ratio.bar)}")
    return cells


def _bar(bar: float) -> str:
    return "" if bar == inf else f"{bar:.2f}" if bar < 10 else f"{bar:g}"  # noqa: PLR2004 - digits


def _missed(value: float, bar: float) -> str:
    return " **missed**" if value > bar else ""


def _spread(values: list[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _quartiles(values: list[float]) -> str:
    low, middle, high = _spread(values)
    digits = 1 if middle < 100 else 0  # noqa: PLR2004 - three digits say enough
    if low == high:
        return f"{middle:.0f}"
    return f"{middle:.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


def table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """In Markdown, line by line."""
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(cells)} |"
