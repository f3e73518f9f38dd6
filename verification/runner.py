"""What a check is, how checks run, and the report that they make."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from verification.target import NotObservedError, Target

DENIED: Final = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
"""The codes with which AWS says that a caller lacks a permission."""


class Outcome(StrEnum):
    """What came of a check."""

    HOLDS = "holds"
    WEAKNESS = "weakness"
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
    """One claim about a deployment, and the function that looks whether it holds."""

    id: str
    claim: str
    remedy: str
    """What to do if the claim does not hold."""
    actions: tuple[str, ...]
    """The IAM actions that looking needs."""
    look: Callable[[Target], Finding]


def check(*actions: str, remedy: str) -> Callable[[Callable[[Target], Finding]], Check]:
    """Declare a check: its ID is the function's name, and its claim the function's docstring."""

    def declare(look: Callable[[Target], Finding]) -> Check:
        id_ = look.__name__.replace("_", "-")
        return Check(id_, " ".join((look.__doc__ or "").split()), remedy, actions, look)

    return declare


class Result(NamedTuple):
    """A check and what it found, without any secret."""

    check: Check
    finding: Finding

    def __str__(self) -> str:
        outcome, observed = self.finding
        return f"{outcome:<14}{self.check.id:<24}{self.check.claim} {observed}"


def run(target: Target, checks: Iterable[Check]) -> Iterator[Result]:
    """Give the result of each check as soon as there is one."""
    for one in checks:
        outcome, observed = _look(one, target)
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


def policy(checks: Iterable[Check], shared: Sequence[str]) -> dict[str, Any]:
    """Return the IAM policy that the checks need, with what every run needs besides."""
    actions = {*shared, *(action for one in checks for action in one.actions)}
    users = {action for action in actions if action.startswith("cognito-idp:Admin")}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Look",
                "Effect": "Allow",
                "Action": sorted(actions - users),
                "Resource": "*",
            },
            {
                "Sid": "ThrowAwayUser",
                "Effect": "Allow",
                "Action": sorted(users),
                "Resource": "arn:aws:cognito-idp:*:*:userpool/*",
            },
        ],
    }


def to_json(stage: str, at: str, results: Sequence[Result]) -> str:
    """The report for machines."""
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
    return json.dumps({"stage": stage, "at": at, "checks": checks}, indent=2) + "\n"


def to_markdown(stage: str, at: str, results: Sequence[Result]) -> str:
    """The report for people: what to do first, then everything that was seen."""
    found = [one for one in results if one.finding.outcome is Outcome.WEAKNESS]
    lines = [f"# Verification of {stage}", "", f"{summarize(results)} Checked at {at}.", ""]
    if found:
        lines += ["## What to do", "", *(f"- `{r.check.id}`: {r.check.remedy}" for r in found), ""]
    lines += [
        "## Claims",
        "",
        "| check | outcome | claim | observed |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{one.check.id}` | {one.finding.outcome} | {one.check.claim} | {_cell(one)} |"
        for one in results
    ]
    return "\n".join(lines) + "\n"


def summarize(results: Sequence[Result]) -> str:
    """Count the outcomes in a sentence."""
    counts = [f"{sum(r.finding.outcome is one for r in results)} {one.value}" for one in Outcome]
    return f"{len(results)} claims: {', '.join(counts)}."


def _cell(result: Result) -> str:
    return result.finding.observed.replace("|", "\\|").replace("\n", " ")
