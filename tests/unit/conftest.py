"""Run the real handlers against a scripted Cognito on loopback. Our code is not patched."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff
from hypothesis import settings
from moto import mock_aws
from moto.core.models import botocore_stubber
from mypy_boto3_dynamodb import DynamoDBClient

from functions.aws import clients
from functions.aws.actions import ACTIONS, of_worker
from functions.operations import Operation
from tests.support import contract
from tests.support.front import CognitoFront, CognitoRequest, Refusal, Respond, make_user
from tests.support.invocation import SETTINGS, Clock, Deployment, Reply, make_message

# No test asserts a time, so no example has a deadline.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

type Invoke = Callable[..., Reply]
type Configure = Callable[..., None]


def sent(front: CognitoFront, operation: Operation) -> list[CognitoRequest]:
    """Return the front's requests of the operation's own action."""
    return [request for request in front.requests if request.action == operation.action]


def put(front: CognitoFront) -> list[dict[str, Any]]:
    """The entries that EventBridge got."""
    requests = [request for request in front.requests if request.action == "PutEvents"]
    return [entry for request in requests for entry in request.body["Entries"]]


def after(clock: Clock, seconds: float, error: str | None) -> Respond:
    """Play a Cognito that takes so long for a code or a change, and then acts or refuses."""

    def respond(action: str, body: dict[str, Any]) -> dict[str, Any]:
        if action in {"ForgotPassword", "ConfirmForgotPassword"}:
            clock.sleep(seconds)
            if error:
                raise Refusal(error, "")
        return {"UserPool": {}, "UserPoolClient": {}, **make_user()}

    return respond


class Service:
    """The current deployment, its clock, and the Cognito that it finds."""

    def __init__(self, front: CognitoFront) -> None:
        self.deployment = Deployment()
        self.cognito = front

    @property
    def clock(self) -> Clock:
        return self.deployment.clock

    def configure(self, **changes: Any) -> None:
        """Deploy with other settings or `times`; the clock goes on."""
        self.deployment = Deployment(self.clock, **changes)

    def invoke(self, operation: Operation, *arguments: Any, **changes: Any) -> Reply:
        """Invoke a handler; the response must be one that the OpenAPI document has."""
        reply = self.deployment.invoke(operation, *arguments, **changes)
        contract.check(operation, reply.status, reply.headers, reply.text)
        assert contract.undocumented(operation, reply.status, reply.headers) == set()
        return reply

    def finish(self, operation: Operation, *arguments: Any, **changes: Any) -> Reply:
        """Invoke a handler, and return what the worker makes of what it queued."""
        self.invoke(operation, *arguments, **changes)
        return self.work()

    def work(self, *, age: float = 0.0, **attributes: Any) -> Reply:
        """Hand the worker what is on the queue, and empty the queue; `age` in seconds."""
        bodies = [json.loads(one["MessageBody"]) for one in self.cognito.take_messages()]
        for body in bodies:
            body["requested_at"] -= age
        messages = [make_message(json.dumps(body), **attributes) for body in bodies]
        before = len(self.cognito.requests)
        work = self.deployment.work(*messages)
        called = {one.action for one in self.cognito.requests[before:]}
        allowed = {one.name for one in of_worker(self.deployment.settings)}
        assert called <= allowed, f"the worker has no grant for {called - allowed}"
        return work


@pytest.fixture(scope="session")
def cognito() -> Iterator[CognitoFront]:
    """Where the functions' clients find Cognito and EventBridge, and moto finds them."""
    with CognitoFront() as front, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", front.url)
        environment.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", front.url)
        environment.setenv("AWS_ENDPOINT_URL_SESV2", front.url)
        environment.setenv("AWS_ENDPOINT_URL_SQS", front.url)
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_ACCESS_KEY_ID", "tests")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        # No test waits for the back-off of botocore's retries.
        environment.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.0)
        # moto adds itself to the handlers of botocore, which our session leaves out.
        stubber: Any = botocore_stubber
        clients.session().register("before-send", stubber, unique_id="moto")
        yield front


@pytest.fixture(scope="session")
def service(cognito: CognitoFront) -> Service:
    return Service(cognito)


@pytest.fixture(autouse=True)
def configure(cognito: CognitoFront, service: Service) -> Iterator[Configure]:
    """Change settings for one test; each test has a deployment and a front of its own.

    Each event that a test has the handlers put must be as the file of its schema says.
    """
    cognito.reset()
    service.deployment = Deployment()
    yield service.configure
    for entry in put(cognito):
        contract.check_event(contract.deliver(entry))


@pytest.fixture
def clock(service: Service) -> Clock:
    return service.clock


@pytest.fixture(scope="session")
def invoke(service: Service) -> Invoke:
    """Invoke a handler with a body, as API Gateway would."""
    return service.invoke


@contextmanager
def mock_table() -> Iterator[DynamoDBClient]:
    """A table of moto, with the client that the functions use."""
    with mock_aws():
        client = clients.find_client(ACTIONS["UpdateItem"].client)
        client.create_table(
            TableName=SETTINGS.table_name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def dynamodb(configure: Configure) -> Iterator[DynamoDBClient]:
    with mock_table() as client:
        yield client
