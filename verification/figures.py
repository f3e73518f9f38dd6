"""What starts, runs and callers take, and whether their time tells who has an account."""

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import quantiles
from typing import Final, NamedTuple

from functions.operations import Operation
from verification.runner import Check, Finding, check, judge, not_observed
from verification.story import CONFIRM, RESET
from verification.target import GUEST, SETTINGS, NotObservedError, Target

STARTS: Final = 30
"""So many, before a percentile of them means something."""
RUNS: Final = 10
SAMPLES: Final = 7
"""Confirmations for each kind of user. The limits allow ten an hour for one, and the story has
used some."""
DAYS: Final = 14
COIN: Final = 0.5
ERRORS: Final = 3
"""Standard errors of chance that an area may be above a coin's."""
LOGS: Final = (*SETTINGS, "logs:FilterLogEvents")
SPEED: Final = "Compare with docs/performance.md: is memorySize the default?"


class Times(NamedTuple):
    """Seconds to each answer, for the two kinds of users."""

    known: list[float]
    unknown: list[float]


def area(times: Times) -> tuple[float, float]:
    """Mann-Whitney's, folded to 0.5 or more, and its standard error (Hanley and McNeil 1982)."""
    known, unknown = len(times.known), len(times.unknown)
    ordered = sorted(times.unknown)
    ranks = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in times.known)
    auc = ranks / (2 * known * unknown)
    auc = max(auc, 1 - auc)
    variance = (
        auc * (1 - auc)
        + (known - 1) * (auc / (2 - auc) - auc**2)
        + (unknown - 1) * (2 * auc**2 / (1 + auc) - auc**2)
    ) / (known * unknown)
    return auc, sqrt(variance)


@check(*LOGS, remedy=SPEED)
def cold_starts(target: Target) -> Finding:
    """Half of the cold starts take less than a second."""
    return _judge_starts(_reports(target, "Init Duration"))


@check(*LOGS, remedy="Compare with cold-starts, and switch snapStart off if it is slower.")
def restores(target: Target) -> Finding:
    """With SnapStart, half of the restores take less than a second."""
    modes = {one.get("SnapStart", {}).get("ApplyOn") for one in target.functions.values()}
    if modes <= {None, "None"}:
        return not_observed("snapStart is off.")
    return _judge_starts(_reports(target, "Restore Duration"))


def _judge_starts(taken: Sequence[float]) -> Finding:
    if len(taken) < STARTS:
        return not_observed(f"{len(taken)} starts in {DAYS} days, of {STARTS}: {_spread(taken)}.")
    return judge(f"{len(taken)} starts: {_spread(taken)}.", good=_percentile(taken, 50) < 1000)  # noqa: PLR2004 - milliseconds


@check(*LOGS, remedy=SPEED)
def run_times(target: Target) -> Finding:
    """Of ten runs of the functions, nine end in five seconds."""
    taken = _reports(target, "Duration")
    if len(taken) < RUNS:
        return not_observed(f"{len(taken)} runs in {DAYS} days, of {RUNS}: {_spread(taken)}.")
    return judge(f"{len(taken)} runs: {_spread(taken)}.", good=_percentile(taken, 90) < 5000)  # noqa: PLR2004 - milliseconds


def _reports(target: Target, member: str) -> list[float]:
    """Read a number of milliseconds from the `REPORT` lines of every function."""
    found = []
    for function in target.functions.values():
        group = function.get("LoggingConfig", {}).get("LogGroup")
        pages = (
            target.client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=group or f"/aws/lambda/{function['FunctionName']}",
                filterPattern="REPORT",
                startTime=int(1000 * (time.time() - DAYS * 86400)),
                PaginationConfig={"MaxItems": 2000},
            )
        )
        # A tab comes before a name, so that Billed Duration is not Duration.
        pattern = re.compile(rf"\t{member}: ([\d.]+) ms")
        lines = (event["message"] for page in pages for event in page["events"])
        found += [float(match[1]) for line in lines if (match := pattern.search(line))]
    return found


@check(*GUEST, remedy=SPEED)
def waits(target: Target) -> Finding:
    """Half of the resets are answered within a second."""
    if not target.waits.get(RESET):
        raise NotObservedError("No reset was answered.")
    told = [
        f"{one.id} {_spread([1000 * seconds for seconds in target.waits[one]])}"
        for one in Operation
        if one in target.waits
    ]
    return judge(f"{'; '.join(told)}.", good=_percentile(target.waits[RESET], 50) < 1)


@check(*GUEST, remedy="Raise responseInterval above the slowest answer: docs/settings.md.")
def timing(target: Target) -> Finding:
    """The time of a refused confirmation does not tell who has an account."""
    times = Times([], [])
    guest = target.guest.username
    for _ in range(SAMPLES):
        for taken, username in ((times.known, guest), (times.unknown, target.address())):
            body = {
                "username": username,
                "confirmationCode": "000000",
                "newPassword": target.make_password(),
            }
            taken.append(target.post(CONFIRM, body).seconds)
    auc, error = area(times)
    # What chance alone makes of two sides that are the same.
    chance = sqrt((2 * SAMPLES + 1) / 12) / SAMPLES
    return judge(
        f"{SAMPLES} confirmations a side: AUC {auc:.2f}, standard error {error:.2f}.",
        good=auc - COIN <= ERRORS * chance,
    )


def _percentile(values: Iterable[float], percent: int) -> float:
    taken = [*values]
    return quantiles(taken, n=100, method="inclusive")[percent - 1] if len(taken) > 1 else taken[0]


def _spread(milliseconds: Sequence[float]) -> str:
    if not milliseconds:
        return "nothing to measure"
    p50, p90, p99 = (_percentile(milliseconds, percent) for percent in (50, 90, 99))
    return f"p50 {p50:.0f} ms, p90 {p90:.0f} ms, p99 {p99:.0f} ms"


CHECKS: Final = tuple(value for value in vars().values() if isinstance(value, Check))
