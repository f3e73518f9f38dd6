"""The pictures show the numbers that are stored beside them, and nothing of the day."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plots import FOLDER, STORED, percentiles
from benchmarks.timing import tabulate
from functions.operations import Operation

SAMPLES: dict[str, Any] = {
    "results.json": {
        "cold_start_ms": {
            name: {"Python": 10.0, "initialisation": 100.0, "first call": 4.0}
            for name in ("ours", "theirs")
        }
    },
    "timing.json": [
        {
            "operation": Operation.RESET_PASSWORD.id,
            "step": 0.7,
            "known": percentiles([1.0, 2.0, 3.0]),
            "unknown": percentiles([1.0]),
        }
    ],
    "load.json": {
        "phases": [
            {
                "share": 0.8,
                "operations": [
                    {"operation": operation.id, "ms": percentiles([5.0, 60.0])}
                    for operation in Operation
                ],
            }
        ]
    },
}


@pytest.mark.parametrize("name", STORED)
def test_the_same_numbers_give_the_same_picture_and_others_another(
    name: str, tmp_path: Path
) -> None:
    def draw(sample: Any) -> str:
        STORED[name](sample, tmp_path)
        (picture,) = tmp_path.iterdir()
        return picture.read_text()

    first = draw(SAMPLES[name])

    assert draw(SAMPLES[name]) == first
    assert "<dc:date>" not in first
    other = json.loads(json.dumps(SAMPLES[name]).replace("3.0", "2.5").replace("0.0", "1.0"))
    assert draw(other) != first


@pytest.mark.parametrize("name", STORED)
def test_a_committed_picture_is_drawn_from_the_committed_numbers(name: str, tmp_path: Path) -> None:
    STORED[name](json.loads((FOLDER / name).read_text()), tmp_path)

    (drawn,) = tmp_path.iterdir()
    assert drawn.read_text() == (FOLDER / drawn.name).read_text()


def test_the_table_of_times_has_the_stored_numbers() -> None:
    runs = json.loads((FOLDER / "timing.json").read_text())

    assert tabulate(runs) in (FOLDER / "TIMING.md").read_text()


@pytest.mark.parametrize("values", [[], [3.0], [1.0, 2.0], list(range(1000))])
def test_percentiles_go_from_the_least_to_the_greatest(values: list[float]) -> None:
    found = percentiles(values)

    assert found == sorted(found)
    if values:
        assert (len(found), found[0], found[-1]) == (101, min(values), max(values))
    else:
        assert found == []
