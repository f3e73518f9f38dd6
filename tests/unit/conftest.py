"""The real handlers against a scripted Cognito on loopback: nothing of ours is patched."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import pytest
from moto import mock_aws
from moto.core.models import botocore_stubber
from mypy_boto3_dynamodb import DynamoDBClient

from functions import table
from functions.clients import session
from functions.cognito import client_secret, kept_policy
from functions.metrics import SERVICE
from functions.operations import Operation
from functions.settings import Settings, settings
from tests import documented
from tests.cognito_front import CognitoFront, CognitoRequest

ORIGIN = "https://app.example"
CLIENT_ID = "0client0of0the0tests0"
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
TOKEN = "header.payload.signature"
SUB = "6d5e1c0a-3f51-4f2b-9c0e-1b2a3c4d5e6f"
SETTINGS = Settings(
    user_pool_id="us-east-1_Tests0000",
    user_pool_client_id=CLIENT_ID,
    allowed_client_ids=frozenset({CLIENT_ID}),
    allowed_origins=frozenset({ORIGIN}),
    reveal_user_existence=False,
    lower_case_emails=True,
    threat_protection=False,
    answer_step=0.0,
    limits=False,
    table_name="the-table",
    breach_endpoint="",
    event_bus_name="",
)
BODIES: dict[Operation, dict[str, Any]] = {
    Operation.RESET_PASSWORD: {"username": "ada@example.com"},
    Operation.CONFIRM_RESET_PASSWORD: {
        "username": "ada@example.com",
        "newPassword": "a new and long password",
        "confirmationCode": "482916",
    },
    Operation.UPDATE_PASSWORD: {
        "oldPassword": "an old and long password",
        "newPassword": "a new and long password",
    },
}
"""A valid body for each operation."""


@dataclass(frozen=True)
class Context:
    function_name: str = "tests"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:tests:live"
    aws_request_id: str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"

    def get_remaining_time_in_millis(self) -> int:
        return 28_000


class Reply(NamedTuple):
    """An answer as the gateway gets it, and everything that the function printed for it."""

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
    def log(self) -> dict[str, Any]:
        (line,) = (one for one in self._lines() if "level" in one)
        return line

    @property
    def metrics(self) -> set[str]:
        return {
            metric["Name"]
            for line in self._lines()
            if "_aws" in line and "operation" in line
            for metrics in line["_aws"]["CloudWatchMetrics"]
            for metric in metrics["Metrics"]
        }

    def _lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.printed.splitlines()]


def sent(front: CognitoFront, operation: Operation) -> list[CognitoRequest]:
    """What the front got of the operation's own action."""
    return [request for request in front.requests if request.action == operation.calls[0]]


type Invoke = Callable[..., Reply]
type Configure = Callable[..., None]


@pytest.fixture(scope="session")
def cognito() -> Iterator[CognitoFront]:
    with CognitoFront() as front, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", front.url)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        yield front


@pytest.fixture(autouse=True)
def configure(cognito: CognitoFront, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Change settings for one test."""

    def change(**changes: Any) -> None:
        for name, value in SETTINGS._replace(**changes).environment().items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()

    cognito.reset()
    client_secret.cache_clear()
    monkeypatch.setitem(kept_policy, "expires", 0.0)
    monkeypatch.setitem(kept_policy, "rules", {})
    change()
    yield change
    settings.cache_clear()


@pytest.fixture(scope="session")
def call() -> Callable[[Operation, Any], Reply]:
    """Invoke a handler with a whole event; its answer must be one that the document has."""

    def invoke(operation: Operation, event: Any) -> Reply:
        handler = import_module(f"functions.{operation.id}.handler").handler
        printed, stdout = io.StringIO(), sys.stdout
        sys.stdout = printed
        for stream in logging.getLogger(SERVICE).handlers:
            assert isinstance(stream, logging.StreamHandler)
            stream.setStream(printed)
        try:
            answer = handler(event, Context())
        finally:
            sys.stdout = stdout
        status, headers, text = answer["statusCode"], answer["headers"], answer["body"]
        documented.check(operation, status, headers, text)
        assert documented.undocumented(operation, status, headers) == set()
        return Reply(status, headers, text, printed.getvalue())

    return invoke


@pytest.fixture(scope="session")
def invoke(call: Callable[[Operation, Any], Reply]) -> Invoke:
    """Invoke a handler with a body, as API Gateway would."""

    def send(
        operation: Operation,
        body: object = None,
        *,
        raw: str | None = None,
        headers: dict[str, str] | None = None,
        claims: dict[str, str] | None = None,
        **changes: Any,
    ) -> Reply:
        text = json.dumps(BODIES[operation] if body is None else body) if raw is None else raw
        return call(operation, event(operation, text, headers, claims) | changes)

    return send


def event(
    operation: Operation,
    body: str | None,
    headers: dict[str, str] | None = None,
    claims: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What the function reads of API Gateway's proxy event; `events/` has whole ones."""
    context: dict[str, Any] = {
        "requestId": REQUEST_ID,
        "identity": {"sourceIp": "192.0.2.7", "userAgent": "tests"},
    }
    sent = {"Content-Type": "application/json", "Origin": ORIGIN}
    if operation.signed_in:
        sent["Authorization"] = f"Bearer {TOKEN}"
        standard = {
            "client_id": CLIENT_ID,
            "iss": f"https://cognito-idp.us-east-1.amazonaws.com/{SETTINGS.user_pool_id}",
            "scope": "openid aws.cognito.signin.user.admin",
            "sub": SUB,
            "token_use": "access",
            "username": SUB,
        }
        context["authorizer"] = {"claims": standard | (claims or {})}
    return {
        "httpMethod": operation.method,
        "path": operation.path,
        "headers": sent | (headers or {}),
        "body": body,
        "isBase64Encoded": False,
        "requestContext": context,
    }


@contextmanager
def mock_botocore() -> Iterator[None]:
    """moto, which adds itself to the handlers of botocore that our session leaves out."""
    stubber: Any = botocore_stubber
    session().register("before-send", stubber, unique_id="moto")
    with mock_aws():
        yield


@pytest.fixture
def dynamodb() -> Iterator[DynamoDBClient]:
    """A table of moto, with the client that the functions use."""
    table.client.cache_clear()
    with mock_botocore():
        client = table.client()
        client.create_table(
            TableName=SETTINGS.table_name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client
    table.client.cache_clear()
