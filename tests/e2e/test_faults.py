"""Faults of the dependencies: the answer, what the operator sees, and what is left behind.

Each fault strikes all operations at once, each with a user of its own.
"""

import os
import re
import signal
import time
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from functions import outcomes
from functions.aws.cognito import POLICY_PAUSE
from functions.messages import Task
from functions.operations import (
    Operation,
)
from functions.problems import (
    CODE_REFUSED,
    OUTCOME_UNKNOWN,
    REQUEST_IN_PROGRESS,
    SERVICE_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    WRONG_PASSWORD,
    Problem,
)
from functions.records import DEGRADED, EXCUSED, RETRIED, SUCCESS, Degradation
from local.stack import Stack, User
from tests.e2e.client import (
    CONFIRM,
    UPDATE,
    Client,
    Script,
    Seen,
    break_down,
    kill,
    make_clients,
    processes,
    send_at_once,
)
from tests.e2e.conftest import NEW, OLD, Api, Fronts, acted, release
from tests.support import PATIENCE, wait_until
from tests.support.contract import WITH_BODY
from tests.support.front import CognitoFront

CHANGING = [operation for operation in Operation if operation.changes_password]
DONE_BEFORE = {CONFIRM: CODE_REFUSED, UPDATE: WRONG_PASSWORD}
"""Cognito's answer to a change that it has carried out already."""

each_change = pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: operation.id)


@pytest.fixture
def clients(api: Api, stack: Stack) -> list[Client]:
    return make_clients(api, stack)


class Fault(NamedTuple):
    """A fault of Cognito's, and the promise that the caller of a change then gets."""

    script: Script
    problem: Problem
    cause: str
    acted: bool = False


FAULTS = {
    "is slow": Fault(
        # The worker gives a code up that is slow twice.
        {"forward": True, "delay": PATIENCE, "reset": True, "times": 1},
        OUTCOME_UNKNOWN,
        "ReadTimeoutError",
        acted=True,
    ),
    "resets after it acted": Fault(
        {"forward": True, "reset": True}, OUTCOME_UNKNOWN, "ConnectionClosedError", acted=True
    ),
    "refuses connections": Fault(None, SERVICE_UNAVAILABLE, "EndpointConnectionError"),
    "answers garbage": Fault({"body": b"<html>"}, OUTCOME_UNKNOWN, "ForeignAnswerError"),
    "answers 500 after it acted": Fault(
        {"forward": True, "error": "InternalErrorException", "status": 500},
        OUTCOME_UNKNOWN,
        "InternalErrorException",
        acted=True,
    ),
    "throttles": Fault({"error": "ThrottlingException"}, TOO_MANY_REQUESTS, "ThrottlingException"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_cognito_is_reported_and_leaves_nothing_half_done(
    stack: Stack, clients: list[Client], fronts: Fronts, fault: Fault
) -> None:
    break_down(fronts.cognito, [operation.action for operation in WITH_BODY], fault.script)
    reset, *changes = clients
    # An account that was made in the same second would pass for changed.
    second = int(time.time())
    wait_until(lambda: time.time() >= second + 1)

    queued, *replies = send_at_once(clients)

    for client, reply in zip(changes, replies, strict=True):
        code = reply.check(fault.problem)["code"]
        asked = acted(fronts.cognito).count(client.operation.action)
        assert asked == (fault.script is not None)
        log, metrics = client.seen(1)
        assert (log["outcome"], log["status"], log["cause"]) == (code, reply.status, fault.cause)
        assert log["level"] == ("ERROR" if reply.status >= 500 else "INFO")
        assert metrics >= {code, fault.cause}
        assert client.passwords == {NEW if fault.acted else OLD}
        if fault.acted:
            client.wait_for_sign_out()
        elif fault.problem is OUTCOME_UNKNOWN:
            assert_retried(client, Task.CHECK_CHANGE, outcomes.NOT_CHANGED_YET.cause)
        assert client.session_lives is not fault.acted
    assert queued.status == 200
    assert SUCCESS in reset.seen(1).metrics
    assert_retried(reset, Task.SEND_CODE, fault.cause)
    # The worker may have tried again by now.
    assert bool(reset.codes) is fault.acted

    fronts.cognito.reset()
    replies = send_at_once(changes)

    for client, reply in zip(changes, replies, strict=True):
        if fault.problem is OUTCOME_UNKNOWN:
            reply.check(OUTCOME_UNKNOWN)
            assert client.seen(2).log["repeated"]
            assert client.passwords == {NEW if fault.acted else OLD}
        else:
            assert reply.status == 204
            assert "repeated" not in client.seen(2).log
            assert (client.passwords, client.session_lives) == ({NEW}, False)
    release(stack, fronts, until=lambda: stack.is_idle)
    assert reset.worked(Task.SEND_CODE, outcome=SUCCESS).log["attempt"] > 1
    assert reset.codes > fault.acted


def assert_retried(client: Client, task: Task, cause: str) -> None:
    log, metrics = client.worked(task, attempt=1)
    assert (log["retry_after"], log["level"]) == (3, "WARNING")
    assert re.fullmatch(cause, log["cause"])
    assert metrics == {log["outcome"], log["cause"], RETRIED}


class Outage(NamedTuple):
    """A fault of another dependency, and the traces that the operator then sees."""

    service: str
    script: Script
    degradations: AbstractSet[Degradation] = frozenset()
    """The degradations of the changes, which succeed."""
    cause: str = ""
    """Why the caller of a reset is told to come back, or why the worker tries an event again: a
    pattern, because the jitter of retries decides whether a last one is in time."""


ACTIONS = {
    "table": ("PutItem", "UpdateItem", "DeleteItem"),
    "events": ("PutEvents",),
    "mail": ("SendEmail",),
    "queue": ("SendMessage", "SendMessageBatch"),
    "breaches": ("",),
}
TABLE = {Degradation.LIMITS_FAILED, Degradation.IDEMPOTENCY_FAILED}
QUEUE, LIST = {Degradation.QUEUE_FAILED}, {Degradation.BREACH_CHECK_FAILED}
SLOW = {"delay": PATIENCE, "reset": True}
TIMED_OUT = "(OutOfTime|ReadTimeout)Error"
LOST = {"forward": True, "reset": True}
OUTAGES = {
    "the table is slow": Outage("table", SLOW, TABLE),
    "the table resets": Outage("table", {"reset": True}, TABLE),
    "the queue is slow": Outage("queue", SLOW, QUEUE, f"SendMessage.{TIMED_OUT}"),
    "the queue resets after it acted": Outage(
        "queue", LOST, QUEUE, "SendMessage.ConnectionClosedError"
    ),
    "the bus refuses connections": Outage(
        "events", None, cause="PutEvents.EndpointConnectionError"
    ),
    "the bus takes no entry": Outage(
        "events",
        {"body": {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}},
        cause="PutEvents.ThrottlingException",
    ),
    "SES is slow": Outage("mail", SLOW, cause="SendEmail.ReadTimeoutError"),
    "SES resets after it acted": Outage("mail", LOST, cause="SendEmail.ConnectionClosedError"),
    "the list is slow": Outage("breaches", SLOW, LIST),
    "the list refuses connections": Outage("breaches", None, LIST),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_beside_cognito_stops_no_change_and_loses_nothing(
    stack: Stack, clients: list[Client], fronts: Fronts, outage: Outage
) -> None:
    break_down(getattr(fronts, outage.service), ACTIONS[outage.service], outage.script)
    reset, *changes = clients

    queued, *replies = send_at_once(clients)

    assert [(reply.status, reply.text) for reply in replies] == [(204, "")] * 2
    for client in changes:
        assert_degraded(client.seen(1), outage.degradations)
        assert (client.passwords, client.session_lives) == ({NEW}, False)
        if outage.service == "events":
            assert_retried(client, Task.PUT_EVENT, outage.cause)
        if outage.service == "mail":
            assert_retried(client, Task.MAIL_CHANGE, outage.cause)
    log, metrics = reset.seen(1)
    if outage.service == "queue":
        queued.check(SERVICE_UNAVAILABLE)
        assert re.fullmatch(outage.cause, log["cause"])
        assert log["level"] == "ERROR"
        assert metrics >= {SERVICE_UNAVAILABLE.code, log["cause"]}
    else:
        assert queued.status == 200
        assert metrics >= {SUCCESS} | (outage.degradations & {Degradation.LIMITS_FAILED})

    announced = [client.seen(1).log["request_id"] for client in changes]
    put = [] if outage.service == "events" else fronts.events.requests
    getattr(fronts, outage.service).reset()
    if outage.service == "queue":
        assert reset.send().status == 200
    again = send_at_once(changes)

    for client, reply in zip(changes, again, strict=True):
        if Degradation.IDEMPOTENCY_FAILED in outage.degradations:
            # An update has ended its own session.
            assert reply.status in {400, 401, 403}
        else:
            assert reply.status == 204
            assert client.seen(2).log["repeated"]
        assert client.passwords == {NEW}

    def is_done() -> bool:
        told = str([*put, *fronts.events.requests])
        mailed = outage.service == "queue" or all(client.notices for client in changes)
        return mailed and reset.codes > 0 and all(one in told for one in announced)

    release(stack, fronts, until=is_done)


def assert_degraded(seen: Seen, degradations: AbstractSet[Degradation]) -> None:
    log, metrics = seen
    # The list of breached passwords has a second, which a busy machine may miss.
    found = set(log.get("degradations", ()))
    assert degradations <= found <= degradations | LIST
    level = "ERROR" if degradations == QUEUE else "WARNING" if found else "INFO"
    assert (log["outcome"], log["level"]) == (SUCCESS, level)
    assert metrics == {SUCCESS} | found | ({DEGRADED} if found - EXCUSED else set())


@each_change
def test_a_sign_out_that_failed_is_made_up_for(
    api: Api, stack: Stack, user: User, fronts: Fronts, operation: Operation
) -> None:
    client = Client(api, stack, user, operation, global_sign_out=True)
    for action in ("AdminUserGlobalSignOut", "GlobalSignOut"):
        fronts.cognito.answer(action, reset=True)

    assert client.send().status == 204

    assert_degraded(client.seen(1), {Degradation.SIGN_OUT_DELAYED})
    assert_retried(client, Task.END_SESSIONS, "ConnectionClosedError")
    assert (client.passwords, client.session_lives) == ({NEW}, True)

    fronts.cognito.reset()
    release(stack, fronts, until=lambda: not client.session_lives)
    assert client.worked(Task.END_SESSIONS, attempt=2).metrics == {SUCCESS}


def end_of_time(stack: Stack) -> None:
    """Expire the records of functions that have not stored the outcome of their request."""
    dynamodb = stack.client("dynamodb")
    (name,) = dynamodb.list_tables()["TableNames"]
    for item in dynamodb.scan(TableName=name)["Items"]:
        if "in_progress_until" in item and "outcome" not in item:
            item["in_progress_until"] = {"N": f"{time.time() - 1:.3f}"}
            dynamodb.put_item(TableName=name, Item=item)


@each_change
@pytest.mark.parametrize("before", [True, False], ids=["before Cognito acts", "after it acted"])
def test_a_killed_function_comes_back_and_its_request_waits_for_its_time(
    api: Api, stack: Stack, user: User, front: CognitoFront, operation: Operation, before: bool
) -> None:
    """The template has the gateway's answer to it."""
    client = Client(api, stack, user, operation)
    front.answer(operation.action, forward=not before, delay=PATIENCE, reset=True)
    running = processes(stack, operation.id)
    with ThreadPoolExecutor(1) as caller:
        lost = caller.submit(client.send)
        wait_until(lambda: operation.action in acted(front))
        # A stopped process cannot run out of time.
        for pid in running:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: client.passwords == {OLD if before else NEW})
        kill(stack, operation.id)
        # The emulator has words of its own for it, which the API's document does not.
        with pytest.raises(AssertionError, match="Cache-Control"):
            lost.result()

    front.reset()
    client.send().check(REQUEST_IN_PROGRESS)

    log, metrics = client.seen(1)
    assert log["cold_start"]
    assert log["outcome"] == REQUEST_IN_PROGRESS.code
    assert REQUEST_IN_PROGRESS.code in metrics
    assert acted(front) == []
    assert client.passwords == {OLD if before else NEW}
    assert client.session_lives

    end_of_time(stack)
    again = client.send()

    if before:
        assert again.status == 204
    else:
        again.check(DONE_BEFORE[operation])
    assert client.passwords == {NEW}


def test_a_function_that_starts_while_cognito_is_down_needs_no_new_start(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    client = Client(api, stack, user, CONFIRM)
    kill(stack, CONFIRM.id)
    front.refuse()

    client.send().check(SERVICE_UNAVAILABLE)

    log, metrics = client.seen(1)
    assert log["cold_start"]
    assert log["cause"] == "PolicyUnreadable"
    assert metrics >= {SERVICE_UNAVAILABLE.code, log["cause"]}
    assert (client.passwords, client.session_lives) == ({OLD}, True)

    front.reset()
    time.sleep(POLICY_PAUSE)  # a longer pause changes nothing
    assert client.send().status == 204
    assert not client.seen(2).log["cold_start"]
    assert (client.passwords, client.session_lives) == ({NEW}, False)
