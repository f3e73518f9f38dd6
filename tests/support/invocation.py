"""A request as API Gateway sends it to a function, and the response as the function returns it."""

import json
import logging
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from io import StringIO
from itertools import count
from math import inf
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from functions.api.endpoint import Endpoint
from functions.custom_message import handler as custom_message
from functions.operations import CUSTOM_MESSAGE, WORKER, Operation
from functions.records import DEGRADED, EXCUSED, SERVICE
from functions.requests import Request
from functions.settings import Runtime, names_read_by
from functions.times import Times, begin
from functions.worker import handler as worker
from tests.support import PATIENCE, ROOT

ORIGIN: Final = "https://app.example"
CLIENT_ID: Final = "0client0of0the0tests0"
REQUEST_ID: Final = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
SENDER: Final = "AROA5ONR45AYSCULMW46P:ops@example.com"
SUB: Final = "6d5e1c0a-3f51-4f2b-9c0e-1b2a3c4d5e6f"
USERNAME: Final = "demo@example.com"
CODE: Final = "482916"
SETTINGS: Final = Runtime(
    stage="dev",
    user_pool_id="us-east-1_Tests0000",
    user_pool_client_id=CLIENT_ID,
    allowed_client_ids=(CLIENT_ID,),
    allowed_origins=(ORIGIN,),
    lower_case_usernames=True,
    response_interval=0.0,
    limits=False,
    code_interval=0.0,
    code_pause=0,
    queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/the-queue",
    support_queue_arn="arn:aws:sqs:us-east-1:123456789012:the-support-queue",
    table_name="the-table",
    breach_endpoint="",
    pseudonym_key="the-pseudonym-key-of-the-tests",
)
"""Everything optional is off."""
NOW: Final = 1_800_000_000.0
"""The time at which each test begins, in seconds since the epoch."""
TIMES: Final = Times(breaches=PATIENCE, read=PATIENCE)
"""The limits that a test does not change. No slow machine reaches them."""

READ: Final[defaultdict[str, set[str]]] = defaultdict(set)
"""The settings that each function has read in this process."""

_NAMES: Final = {one.name for one in fields(Runtime)}
_given: Final = cache(names_read_by)
_messages = count(1)
_pools = count(1)


def make_claims(pool: str = SETTINGS.user_pool_id) -> dict[str, str]:
    """Return the claims that the gateway's authorizer reports of an access token."""
    return {
        "auth_time": f"{NOW:.0f}",
        "client_id": CLIENT_ID,
        "iss": f"https://cognito-idp.us-east-1.amazonaws.com/{pool}",
        "jti": "c7e9a1b3-5d2f-4a6c-8e0b-2f4d6a8c0e15",
        "scope": "openid aws.cognito.signin.user.admin",
        "sub": SUB,
        "token_use": "access",
        "username": SUB,
    }


def make_token(claims: Mapping[str, object]) -> str:
    """An unsigned token with those claims that are the same in every pool."""
    payload = {name: claims[name] for name in claims.keys() - {"iss"}}
    encoded = urlsafe_b64encode(json.dumps(payload, sort_keys=True).encode()).decode()
    return f"header.{encoded.rstrip('=')}.signature"


TOKEN: Final = make_token(make_claims())


def read_event(operation: Operation) -> dict[str, Any]:
    """The sample event of an operation, with what only a live pool can give."""
    text = (ROOT / "events" / f"{operation.id}.json").read_text().replace("{{code}}", CODE)
    claims = json.loads(text)["requestContext"].get("authorizer", {}).get("claims", {})
    event: dict[str, Any] = json.loads(text.replace("{{accessToken}}", make_token(claims)))
    return event


BODIES: Final[dict[Operation, dict[str, Any]]] = {
    operation: json.loads(read_event(operation)["body"])
    for operation in Operation
    if operation.has_body
}
"""A valid body for each operation that has one."""


@dataclass(frozen=True)
class Context:
    function_name: str = "tests"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:tests:live"
    aws_request_id: str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"

    def get_remaining_time_in_millis(self) -> int:
        return 28_000


class Reply(NamedTuple):
    """A response as the gateway gets it, and everything that the function printed for it."""

    status: int
    headers: dict[str, str]
    text: str
    printed: str

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.text)
        return body

    @property
    def rules(self) -> set[tuple[str, str]]:
        return {(error["pointer"], error["rule"]) for error in self.body["errors"]}

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.splitlines()]

    @property
    def log(self) -> dict[str, Any]:
        (line,) = (one for one in self.lines if "level" in one)
        return line

    @property
    def metrics(self) -> set[str]:
        """The metrics, without the one that follows from the degradations."""
        names = {
            metric["Name"]
            for line in self.lines
            if "_aws" in line and "operation" in line
            for metrics in line["_aws"]["CloudWatchMetrics"]
            for metric in metrics["Metrics"]
        }
        degradations = {one for line in self.lines for one in line.get("degradations", ())}
        assert (DEGRADED in names) == bool(degradations - EXCUSED)
        return names - {DEGRADED}


class Clock:
    """A clock that stands still until it is set, or somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


class Watched(Runtime):
    """The settings of a function, which must not read what its environment does not have."""

    def __getattribute__(self, name: str) -> Any:
        if name in _NAMES:
            function = vars(self)["function"]
            READ[function].add(name)
            assert name in _given(function), f"{function} reads {name}"
        return super().__getattribute__(name)


def watch(settings: Runtime, function: str) -> Runtime:
    """Return the same settings, which know whose they are."""
    watched = object.__new__(Watched)
    vars(watched).update(vars(settings), function=function)
    return watched


class Deployment:
    """The handlers with some settings, and with a pool that no other deployment has read."""

    def __init__(self, clock: Clock | None = None, times: Times = TIMES, **changes: Any) -> None:
        self.clock = clock or Clock()
        self.times = times._replace(clock=self.clock)
        begin(self.times, inf)  # the tests' own calls get the same clients
        pool = f"us-east-1_Tests{next(_pools):04}"
        self.settings = SETTINGS.replace(**{"user_pool_id": pool} | changes)
        self._handlers: dict[Operation, Endpoint[Request]] = {}
        self.worker = worker.build(watch(self.settings, WORKER), self.times)
        self.custom_message = custom_message.build(watch(self.settings, CUSTOM_MESSAGE))

    def handler(self, operation: Operation) -> Endpoint[Request]:
        if operation not in self._handlers:
            module = import_module(f"functions.{operation.id}.handler")
            self._handlers[operation] = module.build(watch(self.settings, operation.id), self.times)
        return self._handlers[operation]

    def invoke(
        self,
        operation: Operation,
        body: object = None,
        *,
        raw: str | None = None,
        headers: dict[str, str] | None = None,
        claims: dict[str, str] | None = None,
        **changes: Any,
    ) -> Reply:
        """Invoke a handler with a body, as API Gateway would."""
        sent = BODIES.get(operation) if body is None else body
        text = json.dumps(sent) if raw is None else raw
        pool = self.settings.user_pool_id
        return call(
            self.handler(operation), make_event(operation, text, headers, claims, pool) | changes
        )

    def work(self, *messages: dict[str, Any]) -> Reply:
        """Give the worker messages. The body has those to deliver again."""
        if not messages:
            return Reply(0, {}, '{"batchItemFailures": []}', "")
        response, printed = _invoke(self.worker, {"Records": list(messages)})
        return Reply(0, {}, json.dumps(response), printed)

    def write(self, event: dict[str, Any]) -> Reply:
        """Give the trigger an event of Cognito. The body is the event that it returns."""
        returned, printed = _invoke(self.custom_message, deepcopy(event))
        return Reply(0, {}, json.dumps(returned), printed)


def call(handler: Endpoint[Request], event: Any) -> Reply:
    """Invoke a handler with a whole event."""
    response, printed = _invoke(handler, event)
    return Reply(response["statusCode"], response["headers"], response["body"], printed)


def _invoke(handler: Any, event: Any) -> tuple[dict[str, Any], str]:
    printed = StringIO()
    with patch("sys.stdout", printed):
        for stream in logging.getLogger(SERVICE).handlers:
            assert isinstance(stream, logging.StreamHandler)
            stream.setStream(printed)
        response = handler(event, Context())
    return response, printed.getvalue()


def make_message(body: str, *, attempt: int = 1, queue: str = "the-queue") -> dict[str, Any]:
    """The part of an SQS record that the worker reads."""
    return {
        "messageId": str(next(_messages)),
        "receiptHandle": "a-receipt-handle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(attempt),
            "SenderId": SENDER,
            "SentTimestamp": f"{NOW * 1000:.0f}",
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
    }


def make_event(
    operation: Operation,
    body: str | None,
    headers: dict[str, str] | None = None,
    claims: dict[str, str] | None = None,
    pool: str = SETTINGS.user_pool_id,
) -> dict[str, Any]:
    """The part of a proxy event that the function reads. `events/` has whole ones."""
    context: dict[str, Any] = {
        "requestId": REQUEST_ID,
        "identity": {"sourceIp": "192.0.2.7", "userAgent": "tests"},
    }
    sent = {"Content-Type": "application/json", "Origin": ORIGIN}
    if operation.signed_in:
        claims = make_claims(pool) | (claims or {})
        sent["Authorization"] = f"Bearer {make_token(claims)}"
        context["authorizer"] = {"claims": claims}
    return {
        "httpMethod": operation.method,
        "path": operation.path,
        "headers": sent | (headers or {}),
        "body": body,
        "isBase64Encoded": False,
        "requestContext": context,
    }
