"""Each packaged handler under AWS's own runtime client, with nothing beside it but the bundle."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.operations import Operation
from tests.support.contract import WITH_BODY, ids
from tests.support.front import CLIENT_SECRET, CognitoFront
from tests.support.invocation import BODIES, SETTINGS, TOKEN, make_event
from tests.support.runtime import Runtime, RuntimeFailure
from tests.unit.test_secrets import SWITCHES

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)
with_body = pytest.mark.parametrize("operation", WITH_BODY, ids=ids)

type Start = Callable[[Operation], AbstractContextManager[Runtime]]


@pytest.fixture(scope="module")
def front() -> Iterator[CognitoFront]:
    with CognitoFront() as front:
        yield front


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """A socket that receives X-Ray's segments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as received:
        received.bind(("127.0.0.1", 0))
        received.settimeout(60)
        yield received


@pytest.fixture
def environment(front: CognitoFront, daemon: socket.socket) -> dict[str, str]:
    front.reset()
    host, port = daemon.getsockname()
    return SETTINGS.environment() | {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": front.url,
        "AWS_ENDPOINT_URL_SQS": front.url,
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }


@pytest.fixture
def start(bundle: Path, runtime_client: Path, environment: dict[str, str]) -> Start:
    def runtime(operation: Operation, bundle: Path = bundle) -> Runtime:
        handler = f"functions.start.{operation.id}"
        return Runtime(bundle, runtime_client, handler, environment)

    return runtime


def valid(operation: Operation) -> dict[str, object]:
    return make_event(operation, json.dumps(BODIES.get(operation)))


@each_operation
def test_a_packaged_handler_answers(operation: Operation, start: Start) -> None:
    with start(operation) as runtime:
        answers = [runtime.invoke(valid(operation)) for _ in range(2)]

    assert {answer["statusCode"] for answer in answers} <= {200, 204}


@each_operation
def test_names_itself_to_cognito_and_nothing_adds_to_that(
    operation: Operation, start: Start, front: CognitoFront
) -> None:
    with start(operation) as runtime:
        runtime.invoke(valid(operation))

    agents = {request.headers["user-agent"] for request in front.requests}
    assert agents == {"password-service"}


@each_operation
def test_a_packaged_handler_answers_what_it_cannot_read(operation: Operation, start: Start) -> None:
    with start(operation) as runtime:
        answer = runtime.invoke([])

    assert json.loads(answer["body"])["code"] == "InternalErrorException"


def test_a_function_without_credentials_still_answers(
    bundle: Path, runtime_client: Path, environment: dict[str, str]
) -> None:
    without = {"AWS_ACCESS_KEY_ID": "", "AWS_EC2_METADATA_DISABLED": "true"}
    handler = "functions.start.reset_password"

    with Runtime(bundle, runtime_client, handler, environment | without) as runtime:
        answer = runtime.invoke(valid(Operation.RESET_PASSWORD))
        printed = runtime.printed

    assert json.loads(answer["body"])["type"] == "urn:password-service:service-unavailable"
    assert "SendMessage.NoCredentialsError" in printed


def test_snap_starts_credentials_are_read_and_renewed(
    bundle: Path, runtime_client: Path, environment: dict[str, str], front: CognitoFront
) -> None:
    """A container's endpoint has them. In their last minutes, each call asks for new ones."""
    soon = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    for key in ("FIRST", "SECOND", "THIRD"):
        keys = {"AccessKeyId": key, "SecretAccessKey": "tests", "Token": "tests"}
        front.answer("", body=keys | {"Expiration": soon}, times=1)
    container = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{front.url}/credentials"}
    static = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    variables = container | {name: environment[name] for name in environment.keys() - static}

    with Runtime(bundle, runtime_client, "functions.start.reset_password", variables) as runtime:
        for _ in range(2):
            assert runtime.invoke(valid(Operation.RESET_PASSWORD))["statusCode"] == 200

    signed = [one.headers["authorization"] for one in front.requests if one.action == "SendMessage"]
    keys_used = [one.partition("Credential=")[2].partition("/")[0] for one in signed]
    assert keys_used == ["SECOND", "THIRD"]


@pytest.mark.parametrize("package", ["botocore", "aws_lambda_powertools"])
def test_a_dependency_that_is_missing_is_noticed(
    package: str, bundle: Path, tmp_path: Path, start: Callable[..., Runtime]
) -> None:
    """The proof that the other tests see nothing of this machine's packages."""
    shutil.copytree(bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns(package))

    with (
        start(Operation.UPDATE_PASSWORD, bundle=tmp_path / "bundle") as runtime,
        pytest.raises(RuntimeFailure, match=f"No module named '{package}"),
    ):
        runtime.invoke(valid(Operation.UPDATE_PASSWORD))


def receive_trace(daemon: socket.socket) -> dict[str, Any]:
    """The subsegment of one invocation, which holds those of its calls."""
    header, _, document = daemon.recv(64 * 1024).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    trace: dict[str, Any] = json.loads(document)
    return trace


@with_body
def test_a_trace_names_the_actions_and_the_outcome(
    operation: Operation, start: Start, daemon: socket.socket
) -> None:
    with start(operation) as runtime:
        runtime.invoke(valid(operation))
        handler = receive_trace(daemon)

    calls = {call["name"] for call in handler["subsegments"]}
    asked = {"SendMessage"} if operation.queued else {operation.action}
    assert asked <= calls <= asked | set(operation.actions(revealed=False))
    assert handler["annotations"]["outcome"] == "Success"


@with_body
def test_a_trace_names_what_went_wrong(
    operation: Operation, start: Start, front: CognitoFront, daemon: socket.socket
) -> None:
    action = "SendMessage" if operation.queued else operation.action
    front.answer(action, error="AccessDeniedException")

    with start(operation) as runtime:
        runtime.invoke(valid(operation))
        handler = receive_trace(daemon)

    assert "AccessDeniedException" in handler["subsegments"][-1]["annotations"]["cause"]
    assert handler["annotations"]["outcome"] != "Success"


@each_operation
def test_no_secret_leaves_by_a_trace_or_at_debug(
    operation: Operation,
    start: Start,
    environment: dict[str, str],
    front: CognitoFront,
    daemon: socket.socket,
) -> None:
    environment |= SWITCHES | {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
    body = {name: value for name, value in BODIES.get(operation, {}).items() if name != "username"}
    secrets = [value for value in body.values() if isinstance(value, str)]
    secrets += [TOKEN] if operation.signed_in else []
    echo = f"You sent {' and '.join(secrets)}."
    front.answer(operation.action, error="NotAuthorizedException", message=echo)

    with start(operation) as runtime:
        answer = runtime.invoke(valid(operation))
        everything = f"{answer}{receive_trace(daemon)}{runtime.printed}"

    assert '"level": "DEBUG"' in everything
    assert [secret for secret in (*secrets, CLIENT_SECRET) if secret in everything] == []
