"""What `make bench`, `make timing` and `make load` print, as pictures.

`python -m benchmarks.plots` draws them again from the numbers that were stored.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FOLDER: Final = Path(__file__).parent
COLOURS: Final = ("#1f77b4", "#d95f02", "#2a9d5c", "#9467bd")
_GREY: Final = "#808080"
"""For what is no data: it shows on white and on black alike."""
_WARM: Final = COLOURS[2]
_STYLE: Final[Any] = {
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _GREY,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": _GREY,
    "font.size": 10,
    "legend.frameon": False,
    "legend.labelcolor": _GREY,
    # Text stays text, and the same numbers give the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "password-service",
    "text.color": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
}


def percentiles(values: Sequence[float]) -> list[float]:
    """The least, the first to the ninety-ninth, and the greatest: enough to draw them all."""
    if len(values) < 2:  # noqa: PLR2004 - `quantiles` wants two
        return [round(value, 4) for value in values] * 101
    middle = quantiles(values, n=100, method="inclusive")
    return [round(value, 4) for value in (min(values), *middle, max(values))]


def draw_bench(results: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """What a caller meets: a call that starts the function, and a warm one."""
    bars = [
        (f"{function}: {name}", figures)
        for function, names in results["caller_ms"].items()
        for name, figures in names.items()
    ][::-1]
    with _figure(folder / "caller.svg", height=0.8 + 0.4 * len(bars)) as axes:
        names = [name for name, _ in bars]
        start = [0.0] * len(bars)
        cold = {"init_ms": "start", "first_ms": "first call"}
        for (figure, part), colour in zip(cold.items(), COLOURS, strict=False):
            widths = [figures[figure] for _, figures in bars]
            axes.barh(names, widths, left=start, color=colour, label=part, height=0.6)
            start = [left + width for left, width in zip(start, widths, strict=True)]
        for row, (total, (_, figures)) in enumerate(zip(start, bars, strict=True)):
            axes.text(total, row, f" {total:.0f}", va="center")
            warm = [figures["warm_ms"]] * 2
            axes.plot(warm, [row - 0.4, row + 0.4], color=_WARM, linewidth=3)
        axes.plot([], [], color=_WARM, linewidth=3, label="a warm call")
        axes.set_xlabel("milliseconds that a caller waits, with Lambda's share of a processor")
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_timing(runs: Sequence[Mapping[str, Any]], folder: Path = FOLDER) -> None:
    """Known against unknown users: with the interval, the two lines lie on one another."""
    with _figure(folder / "timing.svg") as axes:
        for run, colour in zip(runs, cycle(COLOURS), strict=False):
            for side, line in (("known", "-"), ("unknown", "--")):
                label = f"{run['operation']}, interval {run['interval']} s, {side}"
                _distribution(axes, run[side], color=colour, linestyle=line, label=label)
        _milliseconds(axes)


def draw_load(load: Mapping[str, Any], folder: Path = FOLDER) -> None:
    """Of the answers that were no refusals."""
    with _figure(folder / "load.svg") as axes:
        for phase, line in zip(load["phases"], cycle(("-", "--")), strict=False):
            for one, colour in zip(phase["operations"], COLOURS, strict=False):
                label = f"{one['operation']} at {phase['share']:.0%}"
                _distribution(axes, one["ms"], color=colour, linestyle=line, label=label)
        _milliseconds(axes)


def _distribution(axes: Axes, values: Sequence[float], **style: Any) -> None:  # noqa: ANN401 - as matplotlib has it
    axes.plot(values, range(len(values)), linewidth=1.5, **style)


def _milliseconds(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds until the answer")
    axes.set_ylabel("% of the answers")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(color=_GREY, alpha=0.2)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


@contextmanager
def _figure(path: Path, height: float = 3.2) -> Iterator[Axes]:
    """Axes of a picture in inches, without a background, which is written in the end."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(8, height), layout="constrained")
        yield figure.add_subplot()
        figure.savefig(path, transparent=True, metadata={"Date": None})


STORED: Final[Mapping[str, Callable[..., None]]] = {
    "results.json": draw_bench,
    "timing.json": draw_timing,
    "load.json": draw_load,
}
"""Which numbers each picture is drawn from."""


def main() -> None:
    """Draw all whose numbers are there."""
    for name, draw in STORED.items():
        path = FOLDER / name
        if path.exists():
            draw(json.loads(path.read_text()))


if __name__ == "__main__":
    main()
