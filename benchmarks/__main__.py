"""`make bench`: this service beside the usual ways to write it, in fresh processes by turns."""

import argparse
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from benchmarks import results
from benchmarks.callers import DEFAULT, DELAYS, MEMORIES, grow, meet
from benchmarks.execution import (
    Figures,
    count_instructions,
    run_cold,
    run_script,
    run_warm,
    serve_aws,
)
from benchmarks.results import NOTHING, SCRIPT, Key, Measured, Met, Round
from benchmarks.share import measure_error
from benchmarks.stub import AUTHORITY
from benchmarks.variants import (
    BOTO3,
    COOKBOOK,
    FEATURES,
    HTTP,
    HTTP_SYSTEM_STORE,
    MOST,
    OURS,
    PLAIN_COOKBOOK,
    PROD,
    Bundles,
    Variant,
    build_bundles,
    list_variants,
)
from infra.packaging.bundle import ROOT

type Measure = Callable[[], Figures]

ALIKE_WHEN_WARM: Final = (HTTP_SYSTEM_STORE, PLAIN_COOKBOOK)
"""What byte code and the size of a trust store cost, they cost once."""


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="fresh processes of each variant")
    rounds = max(1, parser.parse_args().rounds)
    builds = ROOT / ".build"
    builds.mkdir(exist_ok=True)
    with (
        TemporaryDirectory(dir=builds) as name,
        serve_aws(Path(name)) as url,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon,
    ):
        # Nobody reads it, so the system drops the datagrams that do not fit into its buffer.
        daemon.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        bundles = build_bundles(Path(name))
        variants = list_variants(bundles, url, Path(name) / AUTHORITY, address)
        measures = _list_measures(variants, bundles)
        measured = [_measure(measures, number, rounds) for number in range(rounds + 1)]
        counts: Round = {
            variant.key: _count(variant, bundles.runtime_client)
            for variant in variants
            if variant.name == OURS
            # Under valgrind, what a feature asks for would not answer in its time.
            or (variant.function == MOST.id and variant.name not in FEATURES)
        }
        grown = {
            variant.function: grow(variant, bundles.runtime_client)
            for variant in variants
            if variant.name == PROD
        }
        met = _meet(bundles, Path(name), address, max(1, rounds // 4))
        sizes = {
            "zip_bytes": _zip_size(bundles.ours),
            "naive_zip_bytes": _zip_size(bundles.boto3, without="__pycache__"),
        }
    errors = {memory: measure_error(memory) for memory in MEMORIES}
    # The first round has only brought the files into the page cache.
    print(results.write(Measured(measured[1:], counts, met, grown, errors, sizes)))


def _meet(bundles: Bundles, folder: Path, daemon: str, rounds: int) -> list[Met]:
    """Measure what a caller meets: ours by size, and the rivals with the default size."""
    slow = folder / "slow"
    slow.mkdir()
    with serve_aws(slow, DELAYS) as url:
        variants = list_variants(bundles, url, slow / AUTHORITY, daemon)
        cases = [
            (variant, memory)
            for variant in variants
            for memory in (MEMORIES if variant.name == PROD else (DEFAULT,))
            if variant.name in (PROD, COOKBOOK, BOTO3)
        ]
        met: list[Met] = []
        for number in range(rounds):
            print(f"what a caller meets, round {number + 1} of {rounds}", file=sys.stderr)
            met.append({})
            for variant, memory in cases:
                figures = meet(variant, bundles.runtime_client, memory)
                met[-1][*variant.key, memory] = figures
    return met


def _list_measures(variants: list[Variant], bundles: Bundles) -> list[tuple[Key, Measure]]:
    client = bundles.runtime_client
    floor = next(variant for variant in variants if variant.name == HTTP)
    script = str(floor.bundle / "http_client.py")
    measures: list[tuple[Key, Measure]] = [
        ((NOTHING, None), partial(run_script, ["-c", "pass"], floor.environment)),
        ((SCRIPT, None), partial(run_script, [script], floor.environment)),
    ]
    for variant in variants:
        measures.append((variant.key, partial(run_cold, variant, client)))
        if variant.name not in ALIKE_WHEN_WARM:
            measures.append((variant.key, partial(run_warm, variant, client)))
    return measures


def _measure(measures: list[tuple[Key, Measure]], number: int, rounds: int) -> Round:
    """Measure one round. Each starts with another variant, so that the order does not matter."""
    print(f"round {number} of {rounds}", file=sys.stderr)
    start = number % len(measures)
    figures: Round = {key: {} for key, _ in measures}
    for key, measure in measures[start:] + measures[:start]:
        figures[key] |= measure()
    return figures


def _count(variant: Variant, runtime_client: Path) -> Figures:
    print(f"instructions of {variant.name}, {variant.function}", file=sys.stderr)
    return count_instructions(variant, runtime_client)


def _zip_size(folder: Path, without: str = "") -> int:
    """Bytes of a deflated zip, as it is uploaded."""
    with TemporaryDirectory() as name:
        path = Path(name) / "bundle.zip"
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and without not in file.parts:
                    archive.write(file, file.relative_to(folder))
        return path.stat().st_size


main()
