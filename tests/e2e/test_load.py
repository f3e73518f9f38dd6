"""`make load` finds what it looks for: few requests, on the deployed stack and its fronts."""

from typing import Any

from benchmarks.load import Phase, find_failures, measure, throttle
from functions.operations import Operation
from local.stack import Stack
from tests.e2e.conftest import Fronts
from tests.support.contract import WITH_BODY

CONFIRM, UPDATE = Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD
FEW = Phase(share=0.2, seconds=2)


def run(stack: Stack, *phases: Phase) -> tuple[dict[str, Any], list[str]]:
    """What came, and what should not have; a busy machine that sends late is no failure here."""
    load = measure(stack, phases)
    return load, [failure for failure in find_failures(load) if "were sent" not in failure]


def test_nothing_fails_below_the_throttle_and_too_much_is_refused(stack: Stack) -> None:
    above = Phase(share=3, seconds=1)

    load, failures = run(stack, FEW, above)

    assert failures == []
    assert load["lost"] == 0
    changing = [operation for operation in Operation if operation.changes_password]
    assert load["changes"] >= sum(FEW.count(operation) for operation in changing)
    for phase, measured in zip((FEW, above), load["phases"], strict=True):
        for operation, one in zip(WITH_BODY, measured["operations"], strict=True):
            assert one["operation"] == operation.id
            assert sum(one["statuses"].values()) == phase.count(operation)


A_5XX = {"error": "InternalErrorException", "status": 500}
NOTHING_DONE: dict[str, Any] = {"body": {}}
FAILURES: dict[Operation, list[dict[str, Any]]] = {
    CONFIRM: [NOTHING_DONE],
    UPDATE: [A_5XX, NOTHING_DONE],
}


def test_every_failure_is_found(stack: Stack, fronts: Fronts) -> None:
    for operation, scripts in FAILURES.items():
        # The requests that start the processes come first, and are not judged.
        fronts.cognito.answer(operation.action, times=throttle(operation))
        for script in scripts:
            fronts.cognito.answer(operation.action, **script, times=1)

    load, failures = run(stack, FEW)

    assert failures == [
        "update_password at 20%: 504 (1 times).",
        f"2 of {load['users']} users cannot sign in with what they confirmed.",
    ]
