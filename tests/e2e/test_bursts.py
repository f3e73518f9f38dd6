"""Many requests at once on functions that have yet to start."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.operations import Operation
from functions.problems import SERVICE_UNAVAILABLE
from local.stack import Stack
from tests.e2e.client import CONFIRM, RESET, kill, processes
from tests.e2e.conftest import NEW, Api, Fronts, Reply
from tests.e2e.test_story import confirm
from local.stack import User


def at_once(api: Api, operation: Operation, names: list[str]) -> list[Reply]:
    bodies = [confirm(User(name, ""), "000000", NEW) for name in names]
    if operation is RESET:
        bodies = [{"username": name} for name in names]
    with ThreadPoolExecutor(len(names)) as threads:
        return list(threads.map(lambda body: api.post(operation, body), bodies))


def test_ten_starts_at_once(api: Api, stack: Stack, fronts: Fronts) -> None:
    if processes(stack, CONFIRM.id):
        kill(stack, CONFIRM.id)
    actions = ("DescribeUserPool", "DescribeUserPoolClient")
    for action in actions:
        fronts.cognito.answer(action, error="TooManyRequestsException", above=5)
    t=time.monotonic()
    replies = at_once(api, CONFIRM, [f"eve{i}@example.com" for i in range(10)])
    print(time.monotonic()-t, Counter(r.status for r in replies), Counter(r.action for r in fronts.cognito.requests), len(processes(stack, CONFIRM.id)))


@pytest.mark.parametrize("n", range(2))
@pytest.mark.parametrize("operation", [RESET, CONFIRM])
def test_fifty(api: Api, stack: Stack, fronts: Fronts, n, operation) -> None:
    if processes(stack, operation.id):
        kill(stack, operation.id)
    fronts.reset()
    t=time.monotonic()
    replies = at_once(api, operation, [f"eve-{n}@example.com"]*50)
    print(time.monotonic()-t, Counter(r.status for r in replies), Counter(r.action for r in fronts.cognito.requests), Counter(r.action for r in fronts.table.requests), len(processes(stack, operation.id)))
    import json
    from tests.e2e.client import function
    group = function(stack, operation.id)["LoggingConfig"]["LogGroup"]
    ev = stack.client("logs").filter_log_events(logGroupName=group)["events"]
    lines=[json.loads(e["message"]) for e in ev if e["message"].startswith("{")]
    print(Counter(str(l.get("degradations")) for l in lines if "level" in l), sorted(l["duration"] for l in lines if "duration" in l)[-10:])
