"""Faults of the dependencies: the answer, what the operator sees, and what is left behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from functions.operations import (
    COUNT_ACTIONS,
    EVENT_ACTIONS,
    IDEMPOTENCY_ACTIONS,
    Operation,
)
from functions.problems import (
    CODE_REFUSED,
    DEPENDENCY_FAILED,
    OUTCOME_UNKNOWN,
    REQUEST_IN_PROGRESS,
    TOO_MANY_REQUESTS,
    WRONG_PASSWORD,
    Problem,
)
from functions.records import HIDDEN, SUCCESS, Degradation
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api, Fronts, Reply, acted
from tests.e2e.test_story import confirm
from tests.support.front import CognitoFront, Front

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
CHANGING = [operation for operation in Operation if operation.changes_password]
DONE_BEFORE = {CONFIRM: CODE_REFUSED, UPDATE: WRONG_PASSWORD}
"""What Cognito makes of a change that it has carried out already."""

each_change = pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: operation.id)


class Seen(NamedTuple):
    """What the operator sees of one request."""

    log: dict[str, Any]
    metrics: set[str]


@dataclass
class Client:
    """A signed-in user with one request, which they can send again unchanged."""

    api: Api
    stack: Stack
    user: User
    operation: Operation
    global_sign_out: bool = False

    def __post_init__(self) -> None:
        self._session = self.stack.sign_in(self.user)["AccessToken"]
        # A function that starts asks Cognito for more than the action that is to fail.
        self._post({})
        is_confirmed = self.operation is CONFIRM
        self._code = self.stack.request_code(self.user.username) if is_confirmed else ""
        bodies: dict[Operation, dict[str, Any]] = {
            RESET: {"username": self.user.username},
            CONFIRM: confirm(self.user, self._code, NEW),
            UPDATE: {
                "oldPassword": OLD,
                "newPassword": NEW,
                "options": {"globalSignOut": self.global_sign_out},
            },
        }
        self._body = bodies[self.operation]

    def send(self) -> Reply:
        # The key is kept for each user, and the log line is found by the user agent.
        return self._post(self._body, Idempotency_Key="a key", User_Agent=self.user.username)

    def _post(self, body: object, **headers: str) -> Reply:
        token = self._session if self.operation.signed_in else None
        return self.api.post(self.operation, body, token=token, **headers)

    @property
    def passwords(self) -> set[str]:
        """Those that Cognito takes."""
        return {password for password in (OLD, NEW) if self._succeeds(self._sign_in, password)}

    @property
    def session_lives(self) -> bool:
        return self._succeeds(self._read_profile)

    def seen(self, number: int) -> Seen:
        """Of the request with this number, which begins with 1."""
        logs = self.stack.client("logs")
        group = function(self.stack, self.operation)["LoggingConfig"]["LogGroup"]
        found: list[Seen] = []

        def is_there() -> bool:
            events = logs.filter_log_events(logGroupName=group)["events"]
            lines = [event["message"] for event in sorted(events, key=lambda one: one["timestamp"])]
            found[:] = self._read([json.loads(line) for line in lines if line.startswith("{")])
            if len(found) < number:
                # The emulator hands over what a function printed late with its next request.
                self._post({})
            return len(found) >= number

        wait_until(is_there)
        assert not [secret for secret in self._secrets if secret in json.dumps(found, default=str)]
        return found[number - 1]

    def _read(self, lines: list[dict[str, Any]]) -> list[Seen]:
        """Of each of the requests; the metrics of one are printed after its log line."""
        found: list[Seen] = []
        log = None
        for line in lines:
            if "level" in line:
                log = line
            elif log and "operation" in line:
                names = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
                if log.get("user_agent") == self.user.username:
                    found.append(Seen(log, {name["Name"] for name in names}))
                log = None
        return found

    @property
    def _secrets(self) -> list[str]:
        return [*filter(None, [OLD, NEW, self._code, self._session])]

    def _sign_in(self, password: str) -> object:
        return self.stack.sign_in(User(self.user.username, password))

    def _read_profile(self) -> object:
        return self.stack.client("cognito-idp").get_user(AccessToken=self._session)

    @staticmethod
    def _succeeds(call: Callable[..., object], *arguments: str) -> bool:
        try:
            call(*arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotAuthorizedException":
                raise
            return False
        return True


def function(stack: Stack, operation: Operation) -> dict[str, Any]:
    """The configuration of the deployed function."""
    handler = f"functions.start.{operation.id}"
    functions: list[dict[str, Any]] = stack.client("lambda").list_functions()["Functions"]
    (found,) = (one for one in functions if one["Handler"] == handler)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in ten seconds."
        time.sleep(0.02)


type Script = dict[str, Any] | None
"""The arguments of `Front.answer`, or None if nobody listens."""


def break_down(front: Front, actions: tuple[str, ...], script: Script) -> None:
    if script is None:
        front.refuse()
        return
    for action in actions:
        front.answer(action, **script)


class Fault(NamedTuple):
    """What Cognito does instead of answering, and what the caller is promised then."""

    script: Script
    problem: Problem | None
    """None if the caller is not told."""
    cause: str
    acted: bool = False


FAULTS = {
    "is slow": Fault(
        {"forward": True, "delay": 5.0, "reset": True},
        OUTCOME_UNKNOWN,
        "ReadTimeoutError",
        acted=True,
    ),
    "resets after it acted": Fault(
        {"forward": True, "reset": True}, OUTCOME_UNKNOWN, "ConnectionClosedError", acted=True
    ),
    "resets before it acts": Fault({"reset": True}, OUTCOME_UNKNOWN, "ConnectionClosedError"),
    "refuses connections": Fault(None, DEPENDENCY_FAILED, "EndpointConnectionError"),
    "answers garbage": Fault({"body": b"<html>"}, OUTCOME_UNKNOWN, "ForeignAnswerError"),
    "answers garbage after it acted": Fault(
        {"forward": True, "body": b"<html>"}, OUTCOME_UNKNOWN, "ForeignAnswerError", acted=True
    ),
    "answers 500": Fault(
        {"error": "InternalErrorException", "status": 500},
        OUTCOME_UNKNOWN,
        "InternalErrorException",
    ),
    "answers 500 after it acted": Fault(
        {"forward": True, "error": "InternalErrorException", "status": 500},
        OUTCOME_UNKNOWN,
        "InternalErrorException",
        acted=True,
    ),
    "is behind a proxy that answers 503": Fault(
        {"status": 503, "body": b"<html>"}, OUTCOME_UNKNOWN, "503"
    ),
    "throttles": Fault(
        {"error": "TooManyRequestsException"}, TOO_MANY_REQUESTS, "TooManyRequestsException"
    ),
}
# Only a real user's triggers and mail are slow.
FAULTS_OF = {
    operation: FAULTS
    if operation.changes_password
    else FAULTS | {"is slow": FAULTS["is slow"]._replace(problem=None)}
    for operation in Operation
}
CASES = {
    f"{operation.id}-{name}": (operation, fault)
    for operation, faults in FAULTS_OF.items()
    for name, fault in faults.items()
}


@pytest.mark.parametrize(("operation", "fault"), CASES.values(), ids=CASES)
def test_a_fault_of_cognito_is_told_and_leaves_nothing_half_done(
    api: Api, stack: Stack, user: User, front: CognitoFront, operation: Operation, fault: Fault
) -> None:
    client = Client(api, stack, user, operation)
    break_down(front, (operation.action,), fault.script)

    reply = client.send()

    outcome, hidden = SUCCESS, {HIDDEN}
    if fault.problem:
        document = reply.check(fault.problem)
        outcome, hidden = document["code"], set[str]()
    assert acted(front).count(operation.action) == (fault.script is not None)
    log, metrics = client.seen(1)
    assert (log["outcome"], log["status"], log["cause"]) == (outcome, reply.status, fault.cause)
    assert log["level"] == ("ERROR" if reply.status >= 500 else "WARNING" if hidden else "INFO")
    names_asked = operation is UPDATE and fault.script is None
    degradations = {Degradation.NAMES_UNREADABLE} if names_asked else set[Degradation]()
    assert set(log.get("degradations", ())) == degradations
    assert metrics == {outcome, fault.cause} | hidden | degradations
    changed = fault.acted and operation.changes_password
    assert client.passwords == {NEW if changed else OLD}
    # A reset that may have worked ends them, since nobody comes back to do it.
    ended = operation is CONFIRM and fault.problem is OUTCOME_UNKNOWN
    assert client.session_lives is not ended
    if operation is RESET:
        assert (stack.code(user.username) is not None) == fault.acted

    front.reset()
    again = client.send()

    if operation is RESET:
        assert again.status == 200
        assert stack.code(user.username)
    elif fault.problem is OUTCOME_UNKNOWN:
        again.check(OUTCOME_UNKNOWN)
        assert acted(front) == []
        assert client.seen(2).log["repeated"]
        assert client.passwords == {NEW if changed else OLD}
    else:
        assert again.status == 204
        assert "repeated" not in client.seen(2).log
        assert client.passwords == {NEW}
        assert client.session_lives is (operation is UPDATE)


class Outage(NamedTuple):
    """What another dependency does instead of answering, and what is counted then."""

    service: str
    script: Script
    degradations: set[Degradation]


ACTIONS = {"table": COUNT_ACTIONS + IDEMPOTENCY_ACTIONS, "events": EVENT_ACTIONS, "breaches": ("",)}
TABLE_FAILED = {Degradation.LIMITS_FAILED, Degradation.IDEMPOTENCY_FAILED}
SLOW = {"delay": 2.0, "reset": True}
OUTAGES = {
    "the table refuses connections": Outage("table", None, TABLE_FAILED),
    "the table is slow": Outage("table", SLOW, TABLE_FAILED),
    "the table throttles": Outage(
        "table", {"error": "ProvisionedThroughputExceededException"}, TABLE_FAILED
    ),
    "the table answers garbage": Outage("table", {"body": b"<html>"}, TABLE_FAILED),
    "the bus refuses connections": Outage("events", None, {Degradation.EVENT_FAILED}),
    "the bus is slow": Outage("events", SLOW, {Degradation.EVENT_FAILED}),
    "the bus answers 500": Outage(
        "events", {"error": "InternalException", "status": 500}, {Degradation.EVENT_FAILED}
    ),
    "the bus answers garbage": Outage("events", {"body": b"<html>"}, {Degradation.EVENT_FAILED}),
    "the list refuses connections": Outage("breaches", None, {Degradation.BREACH_CHECK_FAILED}),
    "the list is slow": Outage("breaches", SLOW, {Degradation.BREACH_CHECK_FAILED}),
    "the list answers 503": Outage(
        "breaches", {"status": 503, "body": b"<html>"}, {Degradation.BREACH_CHECK_FAILED}
    ),
}


@each_change
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_outage_beside_cognito_stops_no_change(
    api: Api, stack: Stack, user: User, fronts: Fronts, operation: Operation, outage: Outage
) -> None:
    client = Client(api, stack, user, operation)
    break_down(getattr(fronts, outage.service), ACTIONS[outage.service], outage.script)

    reply = client.send()

    assert (reply.status, reply.text) == (204, "")
    assert_degraded(client.seen(1), outage.degradations)
    assert client.passwords == {NEW}
    assert client.session_lives is (operation is UPDATE)

    fronts.reset()
    again = client.send()

    if Degradation.IDEMPOTENCY_FAILED in outage.degradations:
        again.check(DONE_BEFORE[operation])
    else:
        assert again.status == 204
        assert client.seen(2).log["repeated"]
        assert acted(fronts.cognito) == []
    assert client.passwords == {NEW}


def assert_degraded(seen: Seen, degradations: set[Degradation]) -> None:
    assert (seen.log["outcome"], seen.log["level"]) == (SUCCESS, "WARNING")
    assert set(seen.log["degradations"]) == degradations
    assert seen.metrics == {SUCCESS} | degradations


OF_THE_TABLE = {name: outage for name, outage in OUTAGES.items() if outage.service == "table"}


@pytest.mark.parametrize("outage", OF_THE_TABLE.values(), ids=OF_THE_TABLE)
def test_a_code_is_sent_without_the_table(
    api: Api, stack: Stack, user: User, fronts: Fronts, outage: Outage
) -> None:
    client = Client(api, stack, user, RESET)
    break_down(fronts.table, COUNT_ACTIONS, outage.script)

    assert client.send().status == 200

    assert_degraded(client.seen(1), {Degradation.LIMITS_FAILED})
    assert stack.code(user.username)


@each_change
def test_an_answer_that_the_table_did_not_keep_is_waited_for(
    api: Api, stack: Stack, user: User, fronts: Fronts, operation: Operation
) -> None:
    """The record is there, the attempts are counted or given back, and then the table is down."""
    client = Client(api, stack, user, operation)
    counts = 1 if operation.signed_in else 3
    fronts.table.answer("UpdateItem", times=counts)
    fronts.table.answer("UpdateItem", error="InternalServerError", status=500)

    assert client.send().status == 204

    assert_degraded(client.seen(1), {Degradation.IDEMPOTENCY_FAILED})
    assert client.passwords == {NEW}

    fronts.reset()
    client.send().check(REQUEST_IN_PROGRESS)
    end_of_time(stack)
    client.send().check(DONE_BEFORE[operation])
    assert client.passwords == {NEW}


@each_change
def test_a_new_password_counts_though_nobody_could_be_signed_out(
    api: Api, stack: Stack, user: User, front: CognitoFront, operation: Operation
) -> None:
    client = Client(api, stack, user, operation, global_sign_out=True)
    front.answer(operation.actions[-1], reset=True)

    assert client.send().status == 204

    assert_degraded(client.seen(1), {Degradation.SIGN_OUT_FAILED})
    assert (client.passwords, client.session_lives) == ({NEW}, True)

    front.reset()
    assert client.send().status == 204
    assert client.seen(2).log["repeated"]
    assert (client.passwords, client.session_lives) == ({NEW}, True)


def end_of_time(stack: Stack) -> None:
    """Expire the records of functions that have not stored the outcome of their request."""
    dynamodb = stack.client("dynamodb")
    (name,) = dynamodb.list_tables()["TableNames"]
    for item in dynamodb.scan(TableName=name)["Items"]:
        if item.get("status") == {"S": "INPROGRESS"}:
            item["in_progress_expiration"] = {"N": f"{(time.time() - 1) * 1000:.0f}"}
            dynamodb.put_item(TableName=name, Item=item)


def processes(stack: Stack, operation: Operation) -> list[int]:
    """The emulator's processes that run the function."""
    name = function(stack, operation)["FunctionName"]
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, *_ in rows}
    return [
        int(pid)
        for pid, parent, *arguments in rows
        if parents.get(int(parent)) == os.getpid() and f"-{name}-" in "".join(arguments)
    ]


def kill(stack: Stack, operation: Operation) -> None:
    killed = processes(stack, operation)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(killed) & set(processes(stack, operation)))


@each_change
@pytest.mark.parametrize("before", [True, False], ids=["before Cognito acts", "after it acted"])
def test_a_killed_function_comes_back_and_its_request_waits_for_its_time(
    api: Api, stack: Stack, user: User, front: CognitoFront, operation: Operation, before: bool
) -> None:
    """What the gateway answers for it is in the template."""
    client = Client(api, stack, user, operation)
    front.answer(operation.action, forward=not before, delay=20.0, reset=True)
    with ThreadPoolExecutor(1) as caller:
        lost = caller.submit(client.send)
        wait_until(lambda: operation.action in acted(front))
        wait_until(lambda: client.passwords == {OLD if before else NEW})
        kill(stack, operation)
        # The emulator has words of its own for it, which the API's document does not.
        with pytest.raises(AssertionError, match="Cache-Control"):
            lost.result()

    front.reset()
    client.send().check(REQUEST_IN_PROGRESS)

    log, metrics = client.seen(1)
    assert log["cold_start"]
    assert log["outcome"] == REQUEST_IN_PROGRESS.code
    assert metrics == {REQUEST_IN_PROGRESS.code}
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
    kill(stack, CONFIRM)
    front.refuse()

    client.send().check(DEPENDENCY_FAILED)

    log, metrics = client.seen(1)
    assert log["cold_start"]
    assert log["cause"] == "DescribeUserPoolClient.EndpointConnectionError"
    assert metrics == {DEPENDENCY_FAILED.code, log["cause"], "PolicyUnreadable"}
    assert (client.passwords, client.session_lives) == ({OLD}, True)

    front.reset()
    assert client.send().status == 204
    assert not client.seen(2).log["cold_start"]
    assert (client.passwords, client.session_lives) == ({NEW}, False)
