"""A user with one request, and what the operator sees of it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from functions.messages import Message, Task
from functions.operations import WORKER, Operation, handler_name
from functions.records import RETRIED
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, WORKERS, Api, Reply, new_user
from tests.e2e.test_story import confirm
from tests.support import wait_until
from tests.support.front import Front

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
OPERATIONS = (RESET, CONFIRM, UPDATE)
"""Those for which a client has a request."""


class Seen(NamedTuple):
    """The traces that one request, or one attempt of the worker, leaves for the operator."""

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
        self._made = int(time.time() * 1000)
        self._session = self.stack.sign_in(self.user)["AccessToken"]
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
        # A function that starts asks for more than what is to fail, and so does the worker.
        warm = {"newPassword": "short"} if self.operation.changes_password else {"username": "eve"}
        self._post(self._body | warm)
        self.stack.settle()

    def send(self) -> Reply:
        # The key is kept for each user, and the log line is found by the user agent.
        return self._post(self._body, Idempotency_Key="a key", User_Agent=self.user.username)

    def _post(self, body: object, **headers: str) -> Reply:
        token = self._session if self.operation.signed_in else None
        return self.api.post(self.operation, body, token=token, **headers)

    @property
    def passwords(self) -> set[str]:
        """Those that Cognito takes."""
        return {password for password in (OLD, NEW) if self._takes(password)}

    def _takes(self, password: str) -> bool:
        return self._succeeds(lambda: self.stack.sign_in(User(self.user.username, password)))

    @property
    def session_lives(self) -> bool:
        cognito = self.stack.client("cognito-idp")
        return self._succeeds(lambda: cognito.get_user(AccessToken=self._session))

    def wait_for_sign_out(self) -> None:
        wait_until(lambda: not self.session_lives)

    @property
    def codes(self) -> int:
        """How many codes were mailed to the user."""
        return [mail.to for mail in self.stack.mails() if mail.code].count(self.user.username)

    @property
    def notices(self) -> int:
        """How many mails without a code the user got."""
        return [mail.to for mail in self.stack.mails() if not mail.code].count(self.user.username)

    def seen(self, number: int) -> Seen:
        """Return the traces of the request with this number; the first is 1."""
        # The emulator hands over what a function printed late with its next request.
        user_agent = self.user.username
        return self._find(self.operation.id, lambda: self._post({}), number, user_agent=user_agent)

    def worked(self, task: Task, number: int = 1, **members: Any) -> Seen:
        """Return the traces of one of the worker's attempts at a task of the first request.

        The number counts the attempts that ended and whose log line has these members.
        """
        members |= {"request_id": self.seen(1).log["request_id"], "task": task}
        return self._find(WORKER, lambda: nudge(self.stack), number, **members)

    def _find(self, name: str, nudge: Callable[[], object], number: int, **members: Any) -> Seen:
        logs = self.stack.client("logs")
        group = function(self.stack, name)["LoggingConfig"]["LogGroup"]
        found: list[Seen] = []
        nudged = time.monotonic() + 1

        def is_there() -> bool:
            nonlocal nudged
            answer = logs.filter_log_events(logGroupName=group, startTime=self._made)
            events = answer["events"]
            found[:] = [seen for seen in _pair(events) if members.items() <= seen.log.items()]
            if len(found) < number and time.monotonic() > nudged:
                nudge()
                nudged += 1
            return len(found) >= number

        wait_until(is_there)
        secrets = filter(None, [OLD, NEW, self._code, self._session])
        assert not [secret for secret in secrets if secret in json.dumps(found, default=str)]
        return found[number - 1]

    @staticmethod
    def _succeeds(call: Callable[[], object]) -> bool:
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotAuthorizedException":
                raise
            return False
        return True


def _pair(events: Sequence[dict[str, Any]]) -> list[Seen]:
    """Return each log line with the metrics that were printed after it, maybe late: see `nudge`.

    Of several processes that print late, the outcome tells whose metrics they are. Of a message
    that is retried again, the metrics say no more than that.
    """
    found: list[Seen] = []
    waiting: list[tuple[str, dict[str, Any]]] = []
    for event in sorted(events, key=lambda one: one["timestamp"]):
        stream, text = event["logStreamName"], event["message"]
        line = json.loads(text) if text.startswith("{") else {}
        if "level" in line:
            waiting.append((stream, line))
        elif "operation" in line:
            names = {one["Name"] for one in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
            fitting = [
                one
                for one in waiting
                if (RETRIED in names) == ("retry_after" in one[1])
                and (one[1].get("outcome") in names or names == {RETRIED})
            ]
            if fitting:
                pair = next((one for one in fitting if one[0] == stream), fitting[0])
                waiting.remove(pair)
                found.append(Seen(pair[1], names))
    return found


def nudge(stack: Stack) -> None:
    """Give each worker messages that it drops because they are too old.

    The emulator logs what a process printed late with the next message that it gets.
    """
    nobody = {"username": "nobody@example.com", "client_metadata": {}}
    message = Message(Task.SEND_CODE, "", "", None, nobody, requested_at=0.0)
    body = json.dumps(message._asdict())
    for _ in range(2 * WORKERS):
        stack.client("sqs").send_message(QueueUrl=stack.queue, MessageBody=body)


def make_clients(api: Api, stack: Stack) -> list[Client]:
    """One for each operation, each with a user of its own."""
    made = [(api, stack, new_user(stack), operation, True) for operation in OPERATIONS]
    with ThreadPoolExecutor(len(made)) as threads:
        return list(threads.map(Client, *zip(*made, strict=True)))


def send_at_once(clients: Sequence[Client]) -> list[Reply]:
    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(Client.send, clients))


def function(stack: Stack, name: str) -> dict[str, Any]:
    """The configuration of the deployed function."""
    handler = handler_name(name)
    functions: list[dict[str, Any]] = stack.client("lambda").list_functions()["Functions"]
    (found,) = (one for one in functions if one["Handler"] == handler)
    return found


type Script = dict[str, Any] | None
"""The arguments of `Front.answer`, or None if nobody listens."""


def break_down(front: Front, actions: Sequence[str], script: Script) -> None:
    if script is None:
        front.refuse()
        return
    for action in actions:
        front.answer(action, **script)


def processes(stack: Stack, name: str) -> list[int]:
    """The emulator's processes that run the function."""
    name = function(stack, name)["FunctionName"]
    command = ["ps", "-A", "-ww", "-o", "pid=,ppid=,command="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, *_ in rows}
    return [
        int(pid)
        for pid, parent, *arguments in rows
        if parents.get(int(parent)) == os.getpid() and f"-{name}-" in "".join(arguments)
    ]


def kill(stack: Stack, name: str) -> None:
    killed = processes(stack, name)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not set(killed) & set(processes(stack, name)))
