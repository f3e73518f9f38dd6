"""Many requests at once, on functions that have yet to start.

Each is a process of the emulator, so these tests need the machine for themselves.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.aws.cognito import POLICY_PAUSE
from functions.operations import Operation
from functions.problems import (
    ATTEMPTS_EXCEEDED,
    CODE_REFUSED,
    OUTCOME_UNKNOWN,
    SERVICE_UNAVAILABLE,
)
from functions.protection.limits import WINDOW
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, kill
from tests.e2e.conftest import NEW, Api, Fronts, Reply, acted, new_user
from tests.e2e.test_story import confirm


def send_at_once(api: Api, operation: Operation, bodies: list[dict[str, Any]]) -> list[Reply]:
    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(threads.map(lambda body: api.post(operation, body), bodies))


@pytest.mark.parametrize("reads_a_second", [5, 1])
def test_ten_functions_that_start_at_once_fail_nobody(
    api: Api, stack: Stack, fronts: Fronts, reads_a_second: int
) -> None:
    """Cognito lets five reads a second pass; the emulator's starts are slower than Lambda's."""
    kill(stack, CONFIRM.id)
    fronts.reset()
    reads = ("DescribeUserPool", "DescribeUserPoolClient")
    for action in reads:
        fronts.cognito.answer(action, error="TooManyRequestsException", above=reads_a_second)
    bodies = [confirm(User(f"eve{n}@example.com", ""), "000000", NEW) for n in range(10)]

    replies = send_at_once(api, CONFIRM, bodies)

    for reply in replies:
        reply.check(SERVICE_UNAVAILABLE if reply.status == 503 else CODE_REFUSED)
    fronts.reset()
    time.sleep(POLICY_PAUSE)  # a longer pause changes nothing
    for reply in send_at_once(api, CONFIRM, bodies):
        reply.check(CODE_REFUSED)


@pytest.mark.parametrize("operation", [RESET, CONFIRM], ids=lambda operation: operation.id)
def test_of_twenty_concurrent_calls_exactly_the_limit_passes(
    api: Api, stack: Stack, fronts: Fronts, operation: Operation
) -> None:
    """A retried count may count twice, and a count that fails again lets its call pass.

    On a slow machine, Cognito may answer too late: for the policy, which comes before the count, or
    for the call itself.
    """
    kill(stack, operation.id)
    user = new_user(stack)
    bodies = {RESET: {"username": user.username}, CONFIRM: confirm(user, "000000", NEW)}
    fronts.reset()
    started = time.time()

    replies = send_at_once(api, operation, [bodies[operation]] * 20)

    hours = 1 + int(time.time() // WINDOW - started // WINDOW)
    passed = 200 if operation is RESET else CODE_REFUSED.status
    statuses = Counter(reply.status for reply in replies)
    late, unknown = statuses[SERVICE_UNAVAILABLE.status], statuses[OUTCOME_UNKNOWN.status]
    counted = statuses[passed] + unknown
    assert counted + late + statuses[ATTEMPTS_EXCEEDED.status] == len(replies)
    retried = [
        request
        for request in fronts.table.requests
        if not request.headers["amz-sdk-request"].startswith("attempt=1")
    ]
    most = operation.attempts_per_hour
    assert min(most, 20 - late) - len(retried) <= counted <= hours * most + len(retried)
    assert stack.settle()
    asked = 1 if operation is RESET else counted
    assert acted(fronts.cognito).count(operation.action) == asked
