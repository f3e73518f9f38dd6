"""The numbers of `docs/scale.md`: each is computed again from those that it is made of."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.load import PHASES, find_failures, tabulate
from functions.operations import Operation
from infra.functions import MEMORY, TIMEOUT
from infra.settings import STAGES
from tests.infra.conftest import find_in, synthesize_stage

ROOT = Path(__file__).parents[2]
SCALE = (ROOT / "docs" / "scale.md").read_text()
LOAD = json.loads((ROOT / "benchmarks" / "load.json").read_text())

type Table = dict[str, list[str]]


def table(heading: str) -> Table:
    """The rows below a header that begins so, by their first cell up to a comment."""
    lines = SCALE.partition(f"\n| {heading}")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].partition(" =")[0]: row[1:] for row in rows}


def numbers(cells: list[str]) -> list[float]:
    return [float(cell.removesuffix(" %")) for cell in cells if cell]


def test_a_million_users_ask_for_what_the_formulas_say() -> None:
    rows = {name: numbers(cells) for name, cells in table("| reset").items()}

    for column, operation in enumerate(Operation):
        users, times, peak, average, at_peak, throttle, share = (
            row[column] for row in rows.values()
        )
        assert throttle == operation.requests_per_second
        a_second = users * times / (365 * 24 * 3600)
        assert average == round(a_second, 2)
        assert at_peak == round(a_second * peak, 2)
        assert share == round(100 * a_second * peak / throttle)


def test_the_throttles_take_what_the_formulas_say_and_no_more_than_there_is() -> None:
    for formula, result, quota in table("what | formula").values():
        terms = [term.split("*") for term in formula.split("+")]
        product = [float(first) * float(rest[0] if rest else 1) for first, *rest in terms]
        assert sum(product) == float(result) < float(quota)


def test_the_formulas_hold_the_numbers_of_the_code() -> None:
    rates = [f"{operation.requests_per_second}" for operation in Operation]
    step = f"{STAGES['prod'].answer_step:g}"
    formulas = [cells[0] for cells in table("what | formula").values()]
    seconds = [re.findall(r"\* ([\d.]+)", formula) for formula in formulas]

    for formula in (formulas[0], formulas[1], formulas[3]):
        assert re.findall(r"(?:^|\+ )(\d+)", formula) == rates
    assert seconds[1][:2] == [step, step]
    assert formulas[2] == f"{sum(map(int, rates))} * {TIMEOUT}"
    assert seconds[3] == table("what one operation uses")["DynamoDB: writes of at most 1 KB"][:3]
    changing = [o.requests_per_second for o in Operation if o.changes_password]
    assert formulas[4] == " + ".join(map(str, changing))
    memory = MEMORY / 1024
    durations = [float(step), float(step), float(seconds[1][2])]
    used = numbers(table("what one operation uses")["Lambda: GB-seconds on arm64"][:3])
    assert used == [pytest.approx(memory * duration) for duration in durations]


def test_a_million_operations_cost_what_the_formulas_say() -> None:
    times = numbers(table("| reset")["times a year and user"])
    mix = [one / sum(times) for one in times]
    *rows, (_, all_of_them) = table("what one operation uses").items()
    costs = []
    for _, cells in rows:
        *counts, price, cost = numbers(cells)
        costs.append(sum(m * count for m, count in zip(mix, counts, strict=True)) * price)
        assert cost == pytest.approx(costs[-1], abs=0.0051)
    assert numbers(all_of_them) == [round(sum(costs), 2)]
    *fixed, (_, all_of_month) = table("what a month costs").items()
    for _, cells in fixed:
        count, price, cost = numbers(cells)
        assert cost == round(count * price, 2)
    (monthly,) = numbers(all_of_month)
    assert monthly == pytest.approx(sum(numbers(cells)[2] for _, cells in fixed))
    operations = 1_000_000 * sum(times) / 12
    dollars = operations / 1e6 * sum(costs) + monthly
    assert f"= {operations:,.0f} operations a month" in SCALE
    assert f"{operations / 1e6:.6f} * {sum(costs):.2f} + {monthly:.2f} = ${dollars:.2f}" in SCALE


def test_the_month_counts_what_the_stack_has() -> None:
    template = synthesize_stage("prod")
    (acl,) = find_in(template, "AWS::WAFv2::WebACL")
    watched = 0
    for alarm in find_in(template, "AWS::CloudWatch::Alarm"):
        watched += sum("MetricStat" in one for one in alarm.get("Metrics", ())) or 1

    rows = table("what a month costs")

    assert rows["WAF: rules and rule groups"][0] == f"{len(acl['Rules'])}"
    assert rows["CloudWatch: metrics that alarms watch"][0] == f"{watched}"


def test_the_load_was_the_one_that_is_asked_for_and_stands_in_both_documents() -> None:
    assert [(phase["share"], phase["seconds"]) for phase in LOAD["phases"]] == list(PHASES)
    assert list(find_failures(LOAD)) == []
    assert tabulate(LOAD) in SCALE
    assert tabulate(LOAD) in (ROOT / "benchmarks" / "LOAD.md").read_text()
