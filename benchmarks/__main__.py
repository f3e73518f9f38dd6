"""`make bench`: compare this service with the usual ways to write it, in fresh processes."""

import argparse
import socket
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from benchmarks import results
from benchmarks.callers import DEFAULT, DELAYS, MEMORIES, meet
from benchmarks.execution import Figures, count_instructions, run_cold, run_warm, serve_aws
from benchmarks.stub import AUTHORITY
from benchmarks.variants import (
    BOTO3,
    COOKBOOK,
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

SLOW_ROUNDS: Final = 4
"""One round of what a caller meets takes as long as this many of the others."""


def main() -> None:
    """Measure, print the tables and write them to RESULTS.md."""
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
        # Nobody reads the trace segments: the system drops those that do not fit into its buffer.
        daemon.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        bundles = build_bundles(Path(name))
        variants = list_variants(bundles, url, Path(name) / AUTHORITY, address)
        measured = [_measure(variants, bundles, number, rounds) for number in range(rounds + 1)]
        counts = {
            variant.key: count_instructions(variant, bundles.runtime_client)
            for variant in variants
            if variant.name == OURS or (variant.function == MOST.id and variant.name != PROD)
        }
        met = _meet(bundles, Path(name), address, max(1, rounds // SLOW_ROUNDS))
        sizes = _size(bundles.ours), _size(bundles.boto3, without="__pycache__")
    # The first round only brings the files into the page cache.
    print(results.write(results.Measured(measured[1:], counts, met, *sizes)))


def _measure(
    variants: list[Variant], bundles: Bundles, number: int, rounds: int
) -> dict[results.Key, Figures]:
    """Measure one round. Each starts with another variant, so that the order does not matter."""
    print(f"round {number} of {rounds}", file=sys.stderr)
    measures = []
    for variant in variants:
        measures.append((variant.key, partial(run_cold, variant, bundles.runtime_client)))
        if variant.name != PLAIN_COOKBOOK:  # byte code makes no difference to a warm call
            measures.append((variant.key, partial(run_warm, variant, bundles.runtime_client)))
    start = number % len(measures)
    figures: dict[results.Key, Figures] = {variant.key: {} for variant in variants}
    for key, measure in measures[start:] + measures[:start]:
        figures[key] |= measure()
    return figures


def _meet(bundles: Bundles, folder: Path, daemon: str, rounds: int) -> list[results.Met]:
    """Measure what a caller meets: ours by memory size, and the rivals with the default size."""
    slow = folder / "slow"
    slow.mkdir()
    with serve_aws(slow, DELAYS) as url:
        cases = [
            (variant, memory)
            for variant in list_variants(bundles, url, slow / AUTHORITY, daemon)
            if variant.name in (PROD, COOKBOOK, BOTO3)
            for memory in (MEMORIES if variant.name == PROD else (DEFAULT,))
        ]
        met: list[results.Met] = []
        for number in range(rounds):
            print(f"what a caller meets, round {number + 1} of {rounds}", file=sys.stderr)
            met.append({(*v.key, m): meet(v, bundles.runtime_client, m) for v, m in cases})
    return met


def _size(folder: Path, without: str = "") -> int:
    """Return the bytes of a deflated zip, which is how a function is uploaded."""
    with TemporaryDirectory() as name:
        path = Path(name) / "bundle.zip"
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file() and without not in file.parts:
                    archive.write(file, file.relative_to(folder))
        return path.stat().st_size


main()
