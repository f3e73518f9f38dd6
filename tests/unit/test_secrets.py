"""No password, code, token or client secret leaves by an answer, a log line, a metric or a trace.

Each is a canary: a value that nothing else contains, searched for in all that came out.
"""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest
from aws_lambda_powertools.shared import constants
from hypothesis import given
from hypothesis import strategies as st

from apidocs.checklist import declared_errors
from functions.aws.actions import ACTIONS
from functions.confirm_reset_password.handler import ConfirmResetPassword
from functions.operations import Operation
from functions.outcomes import COGNITO
from functions.problems import PROBLEMS
from functions.requests import Caller
from functions.settings import Runtime
from tests.support import ROOT
from tests.support.contract import WITH_BODY, ids
from tests.support.front import CLIENT_SECRET, CognitoFront
from tests.support.invocation import BODIES, TOKEN, Deployment, make_message
from tests.unit.conftest import Invoke, Service
from tests.unit.test_problems import DECLARED

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
CANARIES = {
    "oldPassword": "canary-of-the-old-password",
    "newPassword": "canary-of-the-new-password",
    "confirmationCode": "canary-of-the-code",
}
SECRETS = (*CANARIES.values(), TOKEN, CLIENT_SECRET)


def canaries(operation: Operation) -> dict[str, str]:
    """A valid body whose secrets are canaries."""
    return {name: CANARIES.get(name, value) for name, value in BODIES.get(operation, {}).items()}


def assert_kept(*outputs: str) -> None:
    assert [secret for secret in SECRETS for output in outputs if secret in output] == []


@pytest.mark.parametrize(("operation", "error"), DECLARED, ids=ids)
def test_no_secret_that_cognito_echoes_is_recorded(
    operation: Operation, error: str, service: Service
) -> None:
    body = canaries(operation)
    secrets = [v for v in body.values() if isinstance(v, str)] + [TOKEN] * operation.signed_in
    message = f"You sent {' and '.join(secrets)}."
    service.cognito.answer(operation.action, error=error, message=message)

    reply, work = service.invoke(operation, body), service.work()

    noted = work if operation.queued else reply
    assert "You sent ***" in noted.log["note"]
    assert_kept(reply.text, reply.printed, str(reply.headers), work.printed)


@pytest.mark.parametrize("operation", Operation, ids=ids)
@pytest.mark.parametrize("extra", [{}, {"extra": 1}, {"newPassword": ["canary-of-the-list"]}])
def test_no_secret_of_a_request_is_recorded(
    operation: Operation, extra: dict[str, Any], service: Service
) -> None:
    reply = service.invoke(operation, canaries(operation) | extra)

    assert_kept(reply.text, reply.printed, str(reply.headers))
    assert "canary" not in reply.text + reply.printed


@pytest.mark.parametrize("operation", Operation, ids=ids)
def test_no_secret_is_queued(operation: Operation, service: Service) -> None:
    service.configure(event_bus_name="the-bus")
    for action in ("AdminUserGlobalSignOut", "GlobalSignOut"):
        service.cognito.answer(action, error="InternalErrorException")
    options = {"options": {"globalSignOut": True}} if operation.signed_in else {}

    service.invoke(operation, canaries(operation) | options)

    queued = [one["MessageBody"] for one in service.cognito.take_messages()]
    assert len(queued) == operation.queued + 2 * operation.changes_password
    assert_kept(*queued)


class Exploding(str):
    __slots__ = ()

    def __contains__(self, other: object) -> bool:
        raise RuntimeError(*SECRETS)


CRASH: Final[dict[str, Any]] = {
    "user_pool_id": Exploding("pool"),
    "allowed_client_ids": Exploding(),
}


def test_no_secret_is_recorded_when_a_function_crashes(invoke: Invoke, service: Service) -> None:
    service.configure(**CRASH)

    reply = invoke(UPDATE, canaries(UPDATE))

    assert (reply.status, reply.log["cause"]) == (500, "RuntimeError")
    assert_kept(reply.text, reply.printed, str(reply.headers))


def test_a_request_object_does_not_print_its_secrets() -> None:
    request, caller = ConfirmResetPassword(canaries(CONFIRM), Runtime()), Caller(access_token=TOKEN)

    assert_kept(repr(request), str(request), repr(caller), str(caller))


@given(password=st.text(min_size=1, max_size=256).map(lambda text: f"canary{text}"))
def test_no_password_that_cognito_echoes_is_recorded(password: str, service: Service) -> None:
    service.cognito.answer(
        "ConfirmForgotPassword", error="InvalidPasswordException", message=password
    )

    reply = service.invoke(CONFIRM, BODIES[CONFIRM] | {"newPassword": password})

    assert "canary" not in reply.text + reply.printed


SWITCHES: Final = {
    **{
        name: "false" if name.endswith("_DISABLED") else "true"
        for name in map(str, vars(constants).values())
        if name.startswith("POWERTOOLS_")
    },
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "POWERTOOLS_LOGGER_SAMPLE_RATE": "1",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "LOG_LEVEL": "DEBUG",
}
"""Every environment variable that Powertools reads, with the value that makes it say the most."""

EVERYTHING: Final[dict[str, Any]] = {
    "limits": True,
    "event_bus_name": "the-bus",
    "threat_protection": True,
}
"""The settings under which most is called and told."""
OPEN: Final[tuple[str, dict[str, Any]]] = ("", {"body": b""})


def requests(operation: Operation) -> Iterator[dict[str, Any]]:
    """A request that is right, and requests that are wrong in each kind of way."""
    body = canaries(operation)
    yield {"body": body, "headers": {"Idempotency-Key": "a-key"}}
    yield {"body": body | {"options": {"globalSignOut": True}}}
    yield {"raw": f"{body}"}
    yield {"body": body, "headers": {"Content-Type": "text/plain"}}
    yield {"body": body, "headers": {"Content-Type": "application/json; charset=latin-1"}}
    yield {"body": body, "headers": {"Authorization": f"Bearer {TOKEN}{TOKEN}"}}
    yield {"body": body, "claims": {"client_id": "another"}}
    for name, value in CANARIES.items() & body.items():
        for wrong in ("", [value], {value: value}, value * 100, f"{value}\0", f"{value}\ufffd"):
            yield {"body": body | {name: wrong}}


def answers(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """An answer of each kind to each call, which echoes every secret that was sent."""
    token = [TOKEN] if operation.signed_in else []
    body = [value for value in canaries(operation).values() if isinstance(value, str)]
    sent = {operation.action: body + token, "GlobalSignOut": token}
    echo = f"You sent {sent[operation.action]}."
    for error in declared_errors(operation):
        yield operation.action, {"error": error, "message": echo}
    for row in COGNITO:
        error = row.exception or row.cause
        yield operation.action, {"error": error, "message": f"{row.text} {echo}"}
    for action in (*ACTIONS, ""):
        echo = f"You sent {sent.get(action)}."
        yield action, {"error": "AccessDeniedException", "message": echo}
        yield action, {"error": "InternalErrorException", "message": echo, "status": 500}
        yield action, {"body": echo.encode()}
        yield action, {"reset": True}


def carry_out_everything() -> None:
    """Print each response and each trace, as the only part of a process."""
    logging.basicConfig(level=logging.DEBUG)  # as Lambda does if the function logs at DEBUG
    with CognitoFront() as front, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.setblocking(False)
        os.environ["AWS_XRAY_DAEMON_ADDRESS"] = "{}:{}".format(*daemon.getsockname())
        os.environ["AWS_ENDPOINT_URL"] = front.url

        def send(
            operation: Operation,
            request: dict[str, Any],
            script: tuple[str, dict[str, Any]] = OPEN,
            **changes: Any,
        ) -> None:
            front.reset()
            for action, answer in (OPEN, script):
                front.answer(action, **answer)
            for revealed in {True, not operation.queued}:
                deployment = Deployment(
                    **EVERYTHING | changes,
                    breach_endpoint=front.url,
                    reveal_user_existence=revealed,
                )
                print(operation, *deployment.invoke(operation, **request))  # noqa: T201
                bodies = [one["MessageBody"] for one in front.take_messages()]
                print("worker", *deployment.work(*map(make_message, bodies)))  # noqa: T201
            while True:
                try:
                    print("trace", daemon.recv(64 * 1024))  # noqa: T201
                except BlockingIOError:
                    break

        for operation in WITH_BODY:
            for request in requests(operation):
                send(operation, request)
            for script in answers(operation):
                send(operation, next(requests(operation)), script)
            send(operation, next(requests(operation)), **CRASH)


def test_no_secret_is_recorded_with_every_switch_of_powertools_on() -> None:
    """Powertools reads most switches when it is imported, so they need a process."""
    code = "from tests.unit.test_secrets import carry_out_everything; carry_out_everything()"
    environment = {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "LAMBDA_TASK_ROOT": "/var/task",
        "_X_AMZN_TRACE_ID": f"Root=1-5759e988-{'b' * 24};Parent={'5' * 16};Sampled=1",
    }

    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | SWITCHES,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert_kept(ran.stdout, ran.stderr)
    assert "canary" not in ran.stdout + ran.stderr
    met = {problem.status for problem in PROBLEMS if problem.type in ran.stdout}
    assert met >= {400, 401, 403, 404, 415, 429, 500, 502, 503, 504}
    assert "\ntrace b" in ran.stdout
    assert "DEBUG:aws_lambda_powertools.logging.logger:" in ran.stderr
