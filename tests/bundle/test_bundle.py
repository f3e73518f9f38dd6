"""Each packaged handler under AWS's own runtime client, which sees only the bundle."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.aws.actions import of_operation
from functions.operations import Operation, handler_name
from tests.support import PATIENCE
from tests.support.contract import ids
from tests.support.front import CLIENT_SECRET, CognitoFront
from tests.support.invocation import BODIES, SETTINGS, TOKEN, make_event
from tests.support.runtime import Runtime, RuntimeFailure
from tests.unit.test_secrets import SWITCHES

type Start = Callable[..., AbstractContextManager[Runtime]]
RESET = Operation.RESET_PASSWORD


@pytest.fixture(scope="module")
def front() -> Iterator[CognitoFront]:
    with CognitoFront() as front:
        yield front


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    """A socket that receives X-Ray's segments."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as received:
        received.bind(("127.0.0.1", 0))
        received.settimeout(PATIENCE)
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
    }


@pytest.fixture
def start(bundle: Path, runtime_client: Path, environment: dict[str, str]) -> Start:
    def runtime(operation: Operation, bundle: Path = bundle, **more: str) -> Runtime:
        name = handler_name(operation.id)
        return Runtime(bundle, runtime_client, name, environment | more)

    return runtime


def valid(operation: Operation) -> dict[str, object]:
    return make_event(operation, json.dumps(BODIES.get(operation)))


def receive_trace(daemon: socket.socket) -> dict[str, Any]:
    """The subsegment of one invocation, which holds those of its calls."""
    header, _, document = daemon.recv(64 * 1024).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    trace: dict[str, Any] = json.loads(document)
    return trace


@pytest.mark.parametrize("operation", Operation, ids=ids)
def test_a_packaged_handler_answers_names_itself_traces_and_keeps_secrets(
    operation: Operation, start: Start, front: CognitoFront, daemon: socket.socket
) -> None:
    """Once as it is meant to, and once when Cognito repeats what was sent in an error."""
    body = {name: value for name, value in BODIES.get(operation, {}).items() if name != "username"}
    secrets = [value for value in body.values() if isinstance(value, str)]
    secrets += [TOKEN] if operation.signed_in else []
    echo = f"You sent {' and '.join(secrets)}."
    switches = SWITCHES | {"AWS_LAMBDA_LOG_FORMAT": "JSON", "POWERTOOLS_LOG_LEVEL": "DEBUG"}

    with start(operation, **switches) as runtime:
        answer = runtime.invoke(valid(operation))
        trace = receive_trace(daemon)
        front.answer(operation.action, error="NotAuthorizedException", message=echo)
        refused = runtime.invoke(valid(operation))
        everything = f"{refused}{trace}{receive_trace(daemon)}{runtime.printed}"

    assert answer["statusCode"] in {200, 204}
    assert {request.headers["user-agent"] for request in front.requests} == {"password-service"}
    calls = {call["aws"]["operation"] for call in trace.get("subsegments", [])}
    asked = {"SendMessage"} if operation.queued else {operation.action}
    assert calls <= asked | {one.name for one in of_operation(operation, SETTINGS)}
    assert calls >= asked or not operation.has_body  # a start has read the policy
    assert trace["annotations"]["outcome"] == "Success"
    assert '"level": "DEBUG"' in everything
    assert [one for one in (*secrets, CLIENT_SECRET) if one in everything] == []


def test_a_function_without_credentials_still_answers(start: Start) -> None:
    without = {"AWS_ACCESS_KEY_ID": "", "AWS_EC2_METADATA_DISABLED": "true"}

    with start(RESET, **without) as runtime:
        answer = runtime.invoke(valid(RESET))
        printed = runtime.printed

    assert json.loads(answer["body"])["type"] == "urn:password-service:service-unavailable"
    assert "SendMessage.NoCredentialsError" in printed


def test_snap_starts_credentials_are_read_and_renewed(
    start: Start, environment: dict[str, str], front: CognitoFront
) -> None:
    """A container's endpoint has them. In their last minutes, each call asks for new ones."""
    soon = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    for key in ("FIRST", "SECOND", "THIRD"):
        keys = {"AccessKeyId": key, "SecretAccessKey": "tests", "Token": "tests"}
        front.answer("", body=keys | {"Expiration": soon}, times=1)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]

    with start(RESET, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{front.url}/credentials") as runtime:
        for _ in range(2):
            assert runtime.invoke(valid(RESET))["statusCode"] == 200

    signed = [one.headers["authorization"] for one in front.requests if one.action == "SendMessage"]
    keys_used = [one.partition("Credential=")[2].partition("/")[0] for one in signed]
    assert keys_used == ["SECOND", "THIRD"]


def test_a_dependency_that_is_missing_is_noticed(
    bundle: Path, tmp_path: Path, start: Start
) -> None:
    """The proof that the other tests see nothing of this machine's packages."""
    shutil.copytree(bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("botocore"))

    with (
        start(RESET, bundle=tmp_path / "bundle") as runtime,
        pytest.raises(RuntimeFailure, match="No module named 'botocore"),
    ):
        runtime.invoke(valid(RESET))
