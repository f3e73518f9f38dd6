"""Declare checks, run them, and write the report."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from verification.target import NotObservedError, Target

DENIED: Final = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
"""The codes with which AWS says that a caller lacks a permission."""


class Outcome(StrEnum):
    """The outcome of a check."""

    HOLDS = "holds"
    WEAKNESS = "weakness"
    EXPECTED = "expected"
    """A weakness that the local stage has on purpose, or because the emulator differs from AWS."""
    NOT_OBSERVED = "not observed"


class Finding(NamedTuple):
    """The outcome of a check, and a sentence about what was seen."""

    outcome: Outcome
    observed: str


def holds(observed: str) -> Finding:
    """The claim is true of this deployment."""
    return Finding(Outcome.HOLDS, observed)


def weakness(observed: str) -> Finding:
    """The claim is false, so the report says what to do."""
    return Finding(Outcome.WEAKNESS, observed)


def not_observed(reason: str) -> Finding:
    """Nothing was seen that could tell, for a reason that the report gives."""
    return Finding(Outcome.NOT_OBSERVED, reason)


def judge(observed: str, *, good: object) -> Finding:
    """Return whether the claim holds, with the same sentence either way."""
    return holds(observed) if good else weakness(observed)


class Check(NamedTuple):
    """A claim about a deployment, and the function that tests it."""

    id: str
    claim: str
    remedy: str
    """What to do if the claim does not hold."""
    local: str
    """Why the local stage does not pass, or nothing."""
    look: Callable[[Target], Finding]


def check(
    registry: list[Check], *, remedy: str, local: str = ""
) -> Callable[[Callable[[Target], Finding]], Check]:
    """Add a check to a registry: its ID is the function's name, and its claim the docstring."""

    def declare(look: Callable[[Target], Finding]) -> Check:
        id_ = look.__name__.replace("_", "-")
        claim = " ".join((look.__doc__ or "").split())
        registry.append(Check(id_, claim, remedy, local, look))
        return registry[-1]

    return declare


class Result(NamedTuple):
    """A check and what it found, without any secret."""

    check: Check
    finding: Finding

    def __str__(self) -> str:
        outcome, observed = self.finding
        return f"{outcome:<14}{self.check.id:<24}{self.check.claim} {observed}"


def run(target: Target, checks: Iterable[Check]) -> Iterator[Result]:
    """Run the checks, and give each result at once."""
    for one in checks:
        outcome, observed = _look(one, target)
        if outcome is Outcome.WEAKNESS and target.local and one.local:
            outcome, observed = Outcome.EXPECTED, f"{observed} {one.local}"
        yield Result(one, Finding(outcome, target.redact(observed)))


def _look(one: Check, target: Target) -> Finding:
    try:
        return one.look(target)
    except NotObservedError as error:
        reason = str(error)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        reason = f"AWS answered {code} to {error.operation_name}."
        if code in DENIED:
            reason = f"Your credentials do not allow {error.operation_name}."
    except (BotoCoreError, ResponseParserError, HTTPError, EOFError) as error:
        reason = f"There was no readable answer ({type(error).__name__})."
    return not_observed(reason)


def to_json(name: str, at: str, results: Sequence[Result]) -> str:
    """Return the report for programs."""
    checks = [
        {
            "id": one.check.id,
            "claim": one.check.claim,
            "outcome": one.finding.outcome,
            "observed": one.finding.observed,
            **({"remedy": one.check.remedy} if one.finding.outcome is Outcome.WEAKNESS else {}),
        }
        for one in results
    ]
    return json.dumps({"deployment": name, "at": at, "checks": checks}, indent=2) + "\n"


def to_markdown(name: str, at: str, results: Sequence[Result]) -> str:
    """Return the report for people: first what to do, then every check."""
    found = [one for one in results if one.finding.outcome is Outcome.WEAKNESS]
    lines = [f"# Verification of {name}", "", f"{summarize(results)} Checked at {at}.", ""]
    if found:
        lines += ["## What to do", "", *(f"- `{r.check.id}`: {r.check.remedy}" for r in found), ""]
    lines += [
        "## Claims",
        "",
        "| check | outcome | claim | observed |",
        "| --- | --- | --- | --- |",
    ]
    for check_, (outcome, observed) in results:
        cell = observed.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| `{check_.id}` | {outcome} | {check_.claim} | {cell} |")
    return "\n".join(lines) + "\n"


def summarize(results: Sequence[Result]) -> str:
    """Count the outcomes in a sentence."""
    counts = [f"{sum(r.finding.outcome is one for r in results)} {one.value}" for one in Outcome]
    return f"{len(results)} claims: {', '.join(counts)}."
