"""The real stack in an emulator, with fronts between its functions and AWS."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final, NamedTuple

import pytest
import urllib3
from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.problems import JSON, Problem
from functions.settings import Runtime
from infra.settings import MAX_PAUSE
from local import emulator
from local.breaches import breached_passwords
from local.deployment import local_stack
from local.stack import Stack, User
from tests.support import PATIENCE, contract, wait_until
from tests.support.front import CognitoFront, CognitoRequest, Front

OLD = "an-old-quiet-harbour-51"
NEW = "a-new-quiet-harbour-52"
POSTPONE: Final = "ChangeMessageVisibility"
WORKERS: Final = 2
"""The fewest that SQS allows at a time."""

_DEFAULTS: Final = Runtime()
CONTEXT: Final = {
    "codePause": MAX_PAUSE,
    # As on other stages
    "resetPasswordAttempts": _DEFAULTS.reset_password_attempts,
    "confirmResetPasswordAttempts": _DEFAULTS.confirm_reset_password_attempts,
    "updatePasswordAttempts": _DEFAULTS.update_password_attempts,
    "attemptsPerAddress": _DEFAULTS.attempts_per_address,
}
"""The settings of the stack that all tests use."""

_numbers = count(1)


class Reply(NamedTuple):
    """A response as the client sees it."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body

    def check(self, problem: Problem) -> dict[str, Any]:
        """Assert that this is the problem, whole, and return the document."""
        assert (self.status, self.body["code"]) == (problem.status, problem.code), self.text
        for name, value in problem.headers.items():
            if name != "Cache-Control":
                assert self.headers[name] == value
        expected = problem.document(self.body["requestId"])
        assert {name: self.body[name] for name in expected} == expected
        assert self.headers["Content-Type"] == JSON
        assert self.body["requestId"]
        return self.body


_OF_ONE_REQUEST: Final = {"date", "x-amz-request-id", "x-amzn-requestid", "x-amzn-trace-id"}


def what_an_attacker_sees(reply: Reply) -> tuple[int, dict[str, str], str]:
    """Return everything except the parts that identify the request."""
    headers = {
        name.lower(): value
        for name, value in reply.headers.items()
        if name.lower() not in _OF_ONE_REQUEST
    }
    identity = reply.body.get("requestId")
    return reply.status, headers, reply.text.replace(identity, "") if identity else reply.text


class Api:
    """The deployed API over HTTP, as it is called from one address."""

    def __init__(self, stack: Stack, address: str) -> None:
        self._url = stack.url
        self._address = address
        self._pool = urllib3.PoolManager(retries=False, timeout=PATIENCE, maxsize=50)

    def send(
        self,
        method: str,
        path: str,
        content: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        # The emulator takes it for the caller's address; API Gateway does not trust it.
        sent = {"X-Forwarded-For": self._address, **(headers or {})}
        response = self._pool.request(method, self._url + path, body=content, headers=sent)
        return Reply(response.status, response.headers, response.data.decode())

    def post(
        self,
        operation: Operation,
        body: object = None,
        *,
        content: bytes | str | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Reply:
        """Post JSON, or the content as it is; the answer must be one that the document has.

        In the names of the headers, write `_` for `-`.
        """
        sent = {"Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        content = json.dumps(body) if content is None else content
        reply = self.send("POST", operation.path, content, sent)
        contract.check(operation, *reply)
        return reply


class Fronts(NamedTuple):
    """A front for each dependency of the functions."""

    cognito: CognitoFront
    table: Front
    events: Front
    mail: Front
    queue: Front
    breaches: Front

    def reset(self) -> None:
        for front in self:
            front.reset()


@pytest.fixture(scope="package")
def deployment() -> Iterator[tuple[Stack, Fronts]]:
    """Deploy one stack for all these tests, because it takes most of their time."""
    port = emulator.free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with (
        pytest.MonkeyPatch.context() as patch,
        breached_passwords() as breaches,
        CognitoFront(endpoint) as cognito,
        Front(endpoint) as table,
        Front(endpoint) as events,
        Front(endpoint) as mail,
        Front(endpoint) as queue,
        Front(breaches) as breach_front,
    ):
        for name, value in emulator.environment().items():
            patch.setenv(name, value)
        reach_fronts = {
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": cognito.url,
            "AWS_ENDPOINT_URL_DYNAMODB": table.url,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": events.url,
            "AWS_ENDPOINT_URL_SESV2": mail.url,
            "AWS_ENDPOINT_URL_SQS": queue.url,
        }
        with local_stack(
            port,
            say=print,
            functions=reach_fronts,
            context=CONTEXT | {"breachEndpoint": f"{breach_front.url}/range"},
        ) as stack:
            functions = stack.client("lambda")
            # Few processes, because each prints late what it printed last: see `nudge`.
            few = {"MaximumConcurrency": WORKERS}
            functions.update_event_source_mapping(UUID=stack.mapping["UUID"], ScalingConfig=few)
            fronts = Fronts(cognito, table, events, mail, queue, breach_front)
            yield replace(stack, patience=PATIENCE), fronts


@pytest.fixture(scope="package")
def stack(deployment: tuple[Stack, Fronts]) -> Stack:
    return deployment[0]


@pytest.fixture
def fronts(deployment: tuple[Stack, Fronts]) -> Iterator[Fronts]:
    """Scripts end with the test, and then the worker does what is still queued."""
    stack, fronts = deployment
    stack.settle()
    fronts.reset()
    yield fronts
    postponed = fronts.queue.take(POSTPONE)
    fronts.reset()
    release(stack, fronts, until=lambda: stack.is_idle, postponed=postponed)


def release(
    stack: Stack,
    fronts: Fronts,
    until: Callable[[], bool],
    postponed: Iterable[CognitoRequest] = (),
) -> None:
    """Let what the worker postponed come back at once, until something is seen to have happened."""
    handles = [request.body["ReceiptHandle"] for request in postponed]

    def happened() -> bool:
        handles.extend(request.body["ReceiptHandle"] for request in fronts.queue.take(POSTPONE))
        for handle in list(handles):
            try:
                stack.client("sqs").change_message_visibility(
                    QueueUrl=stack.queue, ReceiptHandle=handle, VisibilityTimeout=0
                )
            except ClientError:  # the message was received again, with another handle
                handles.remove(handle)
        return until()

    wait_until(happened)


def end_pauses(stack: Stack) -> None:
    """Let every name be reset again, as when `codePause` is over. No test waits for that."""
    dynamodb = stack.client("dynamodb")
    for name in dynamodb.list_tables()["TableNames"]:
        for item in dynamodb.scan(TableName=name)["Items"]:
            if item["id"]["S"].startswith("pause#"):
                dynamodb.delete_item(TableName=name, Key={"id": item["id"]})


@pytest.fixture
def front(fronts: Fronts) -> CognitoFront:
    """The front between the functions and Cognito."""
    return fronts.cognito


def acted(front: CognitoFront) -> list[str]:
    """Return the actions at Cognito for a caller, without the reads of the functions."""
    actions = [request.action for request in front.requests]
    looked_up = ("Describe", "AdminGetUser", "ListUsers")
    return [action for action in actions if not action.startswith(looked_up)]


@pytest.fixture
def api(stack: Stack) -> Api:
    """Call the API from an address that no other test uses, because each has its own limits."""
    return Api(stack, f"198.18.{next(_numbers) % 256}.{next(_numbers) % 256}")


@pytest.fixture
def user(stack: Stack) -> User:
    return new_user(stack)


def new_user(stack: Stack) -> User:
    """Add a user whom no other test knows."""
    user = User(f"ada{next(_numbers)}@example.com", OLD)
    stack.create(user)
    return user
