"""What the figures of all rounds come to, as ratios, tables and files."""

import json
import os
import platform
import re
import ssl
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from typing import Final, NamedTuple

from benchmarks import plots
from benchmarks.execution import Figures
from benchmarks.variants import BOTO3, COOKBOOK, FEATURES, HTTP, OURS, PLAIN_COOKBOOK, RIVALS
from functions.operations import Operation
from infra.packaging.bundle import ROOT
from tests.support.invocation import BODIES

FOLDER: Final = Path(__file__).parent
WAITS: Final = FOLDER / "waits.json"
"""What `benchmarks.waits` measured."""
NOTHING: Final = "python -c pass"
SCRIPT: Final = "http.client, no runtime client"

type Key = tuple[str, Operation | None]
type Round = dict[Key, Figures]


class Ratio(NamedTuple):
    """Ours against a rival, and the most that it may be."""

    figure: str
    rival: str
    bar: float
    text: str


RATIOS: Final = {
    "cold_vs_cookbook": Ratio("cold_ms", COOKBOOK, 0.42, "cold start / Powertools cookbook"),
    "cold_vs_cookbook_without_bytecode": Ratio(
        "cold_ms", PLAIN_COOKBOOK, 0.17, "cold start / the same without byte code"
    ),
    "cold_vs_naive_boto3": Ratio("cold_ms", BOTO3, 0.65, "cold start / naive boto3"),
    "cold_vs_http_client": Ratio("cold_ms", HTTP, 3.5, "cold start / http.client"),
    "first_call_vs_cookbook": Ratio(
        "first_call_ms", COOKBOOK, 0.35, "first call / Powertools cookbook"
    ),
    "warm_cpu_vs_cookbook": Ratio("warm_us", COOKBOOK, 0.40, "warm CPU / Powertools cookbook"),
    "warm_cpu_vs_naive_boto3": Ratio("warm_us", BOTO3, 1.10, "warm CPU / naive boto3"),
    "peak_memory_vs_cookbook": Ratio(
        "peak_mb", COOKBOOK, 0.60, "peak memory / Powertools cookbook"
    ),
}

_HOW_TO_READ: Final = """\
Written by `make bench`: run it again before you compare anything with it, and compare ratios, since
milliseconds are this machine's. Each round starts a fresh process for every variant, in an order
that rotates. A ratio is taken within a round. The tables have its median over all rounds, with the
quartiles in brackets. Other work on the machine slows both sides of a ratio alike.

- Every function, rivals too, runs under AWS's Lambda runtime client in an interpreter that sees
  nothing but its bundle, and asks a Cognito on loopback by TLS, in another process. Nothing here
  ran on AWS: Lambda's lazy loading of code, its processor's share and Cognito's own time are not
  in it.
- *Cold* is from the start of the process to the first answer, *first call* the part of it after the
  initialisation. CPU and peak memory are those of that process.
- *Warm* is processor time of one call after the first: with the HTTP layer stubbed inside the
  process, and over one TLS connection.
- The rivals (`benchmarks/rivals/`) make the one Cognito call that the operation is named for. Ours
  does all its work: its first call also reads the client's secret, and for confirm and update the
  password policy, and every confirm also ends the user's sessions. Its optional features are off;
  they have a table of their own.
- Each trusts what it would trust on AWS, and the authority of this run: the rivals all that
  botocore brings, ours what its bundle has for AWS; `http.client` trusts that one authority only,
  because it represents the least that is possible.
"""
_WAITS: Final = """\
Milliseconds of a request that succeeds, which are also those that Lambda bills, in a warm function
with the settings of `prod`. Each call of AWS takes 10 ms more than over loopback, and one of the
service that knows breached passwords 80 ms. *Before* is commit `f1c0d86`, where resets and
confirmations waited for an interval. The worker takes a second for each code, so that Cognito's
quota is left to others; nobody waits for it.
"""


def write(rounds: list[Round], counts: Round, sizes: dict[str, int]) -> str:
    """Write `results.json`, its picture and `RESULTS.md`, and return the last one."""
    results: dict[str, object] = {
        operation.id: {
            name: round(_ratio(rounds, operation, ratio)[1], 3) for name, ratio in RATIOS.items()
        }
        for operation in BODIES
    }
    results |= sizes
    results["cold_start_ms"] = {
        name: _parts(rounds, name) for name in (OURS, COOKBOOK, BOTO3, HTTP)
    }
    plots.draw_bench(results)
    (FOLDER / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    text = "\n".join(_document(rounds, counts, sizes))
    (FOLDER / "RESULTS.md").write_text(text)
    return text


def _parts(rounds: list[Round], name: str) -> dict[str, float]:
    """The medians of what a cold start consists of, for the operation that does most."""
    key: Key = (name, Operation.CONFIRM_RESET_PASSWORD)
    python = median(one[NOTHING, None]["cold_ms"] for one in rounds)
    first_call = median(one[key]["first_call_ms"] for one in rounds)
    cold = median(one[key]["cold_ms"] for one in rounds)
    return {
        "Python": round(python, 1),
        "initialisation": round(cold - first_call - python, 1),
        "first call": round(first_call, 1),
    }


def _document(rounds: list[Round], counts: Round, sizes: dict[str, int]) -> Iterator[str]:
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
    header = ["", "at most", *(operation.id for operation in BODIES)]
    yield from table(header, (_ratio_cells(rounds, ratio) for ratio in RATIOS.values()))
    for operation in BODIES:
        yield from ("", f"## {operation.id}", "")
        names = [name for name, of in rounds[0] if of in (operation, None) and name not in FEATURES]
        yield from _figures(rounds, counts, operation, names)
    yield from ("", "## What the features of production add, for confirm_reset_password", "")
    yield "The breached passwords are asked for without botocore, and so by TLS also where HTTP is"
    yield "stubbed."
    yield ""
    yield from _figures(rounds, counts, Operation.CONFIRM_RESET_PASSWORD, [OURS, *FEATURES])
    yield from ("", "## What an honest caller waits", "")
    yield _WAITS
    yield from tabulate_waits()
    yield from ("", "## Size of the zip", "")
    yield from table(
        ["", "bytes", "ours is"],
        ([name, f"{size:,}", f"{sizes['zip_bytes'] / size:.2f}"] for name, size in sizes.items()),
    )
    yield ""


def tabulate_waits() -> Iterator[str]:
    """Return the table of the last `benchmarks.waits`."""
    waits = json.loads(WAITS.read_text())
    rows = (
        [name, f"{waits['before'].get(name, '')}", f"{now}"] for name, now in waits["now"].items()
    )
    return table(["function", "before", "now"], rows)


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


def _figures(
    rounds: list[Round], counts: Round, operation: Operation, names: list[str]
) -> Iterator[str]:
    columns = {
        "cold_ms": "cold ms",
        "first_call_ms": "first call ms",
        "cpu_ms": "CPU ms",
        "peak_mb": "peak MB",
        "modules": "modules",
        "minstr": "10⁶ instructions",
        "warm_us": "warm µs",
        "warm_tls_us": "warm over TLS µs",
    }
    header = ["", f"times `{NOTHING}`", *columns.values()]
    yield from table(header, (_row(rounds, counts, operation, name, columns) for name in names))


def _row(
    rounds: list[Round],
    counts: Round,
    operation: Operation,
    name: str,
    columns: Iterable[str],
) -> list[str]:
    key: Key = (name, operation) if (name, operation) in rounds[0] else (name, None)
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


def _ratio(rounds: list[Round], operation: Operation, ratio: Ratio) -> tuple[float, float, float]:
    """The first quartile, the median and the third quartile."""
    figure = ratio.figure
    return _spread(
        [one[OURS, operation][figure] / one[ratio.rival, operation][figure] for one in rounds]
    )


def _ratio_cells(rounds: list[Round], ratio: Ratio) -> list[str]:
    cells = [ratio.text, f"{ratio.bar:.2f}"]
    for operation in BODIES:
        low, middle, high = _ratio(rounds, operation, ratio)
        missed = " **missed**" if middle > ratio.bar else ""
        cells.append(f"{middle:.2f} [{low:.2f}-{high:.2f}]{missed}")
    return cells


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
