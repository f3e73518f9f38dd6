"""Measure starts, runs and requests, and whether a time tells who has an account."""

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import sqrt
from statistics import quantiles
from typing import Final, NamedTuple

from verification.runner import Check, Finding, check, judge, not_observed, weakness
from verification.story import CONFIRM
from verification.target import Target

CHECKS: Final[list[Check]] = []
STARTS: Final = 30
"""The least starts whose percentiles mean something."""
RUNS: Final = 10
SAMPLES: Final = 7
"""Confirmations for each kind of user. The limits allow a user ten an hour, and the story has used
some."""
DAYS: Final = 14
COIN: Final = 0.5
ERRORS: Final = 3
"""The number of standard errors by which an area may exceed a coin's by chance."""
SPEED: Final = "Compare with docs/reference/performance.md: is memorySize the default?"


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


@check(CHECKS, remedy=f"{SPEED} With snapStart, try without it.")
def cold_starts(target: Target) -> Finding:
    """Half of the cold starts, or with SnapStart of the restores, take less than a second."""
    return _judge(_reports(target, "(?:Init|Restore) Duration"), STARTS, percent=50, most=1000)


@check(CHECKS, remedy=SPEED, local="They share this machine with the emulator.")
def run_times(target: Target) -> Finding:
    """Nine of ten runs of the functions end in five seconds."""
    return _judge(_reports(target, "Duration"), RUNS, percent=90, most=5000)


def _judge(taken: Sequence[float], enough: int, *, percent: int, most: float) -> Finding:
    if len(taken) < enough:
        return not_observed(f"{len(taken)} in {DAYS} days, and {enough} are needed.")
    told = ", ".join(f"p{one} {_percentile(taken, one):.0f} ms" for one in (50, 90, 99))
    return judge(f"{len(taken)} in {DAYS} days: {told}.", good=_percentile(taken, percent) < most)


def _reports(target: Target, member: str) -> list[float]:
    """Read a number of milliseconds from the `REPORT` lines of every function."""
    found = []
    for group in target.function_logs:
        pages = (
            target.client("logs")
            .get_paginator("filter_log_events")
            .paginate(
                logGroupName=group,
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


@check(CHECKS, remedy="Raise responseInterval above the slowest answer.")
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
    return judge_times(times)


def judge_times(times: Times) -> Finding:
    """Return a weakness if chance does not explain the difference; a few samples prove no more."""
    known, unknown = len(times.known), len(times.unknown)
    auc, _ = area(times)
    least = COIN + ERRORS * sqrt((known + unknown + 1) / (12 * known * unknown))
    told = f"AUC {auc:.2f} for {known} users and {unknown} strangers"
    if auc > least:
        return weakness(f"{told}, where chance gives less than {least:.2f}.")
    return not_observed(
        f"{told}, but only more than {least:.2f} would show here. `make timing` measures thousands."
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]
