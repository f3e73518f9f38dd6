"""No password, code, token or client secret leaves by an answer, a log line, a metric or a trace.

Each is a canary: a value that nothing else contains, searched for in all that came out.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.confirm_reset_password.handler import ConfirmResetPassword
from functions.operations import Operation
from functions.records import Record
from functions.requests import Caller
from tests.support.contract import ids
from tests.support.front import CLIENT_SECRET, CognitoFront
from tests.support.invocation import BODIES, SETTINGS, TOKEN
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
    return {name: CANARIES.get(name, value) for name, value in BODIES[operation].items()}


def assert_kept(*outputs: str) -> None:
    assert [secret for secret in SECRETS for output in outputs if secret in output] == []


@pytest.mark.parametrize(("operation", "error"), DECLARED, ids=ids)
def test_keeps_what_an_error_of_cognito_echoes(
    operation: Operation,
    error: str,
    cognito: CognitoFront,
    invoke: Invoke,
    service: Service,
) -> None:
    body = canaries(operation)
    secrets = [
        *(v for v in body.values() if isinstance(v, str)),
        *([TOKEN] if operation.signed_in else []),
    ]
    cognito.answer(operation.action, error=error, message=f"You sent {' and '.join(secrets)}.")

    reply = invoke(operation, body)
    work = service.work()

    noted = work if operation.queued else reply
    assert "You sent ***" in noted.log["note"]
    assert_kept(reply.text, reply.printed, str(reply.headers), work.printed)


@pytest.mark.parametrize("operation", Operation, ids=ids)
@pytest.mark.parametrize("extra", [{}, {"extra": 1}, {"newPassword": ["canary-of-the-list"]}])
def test_keeps_what_a_request_holds(
    operation: Operation, extra: dict[str, Any], invoke: Invoke
) -> None:
    reply = invoke(operation, canaries(operation) | extra)

    assert_kept(reply.text, reply.printed, str(reply.headers))
    assert "canary" not in reply.text + reply.printed


def test_keeps_what_a_crash_holds(invoke: Invoke, service: Service) -> None:
    class Exploding(str):
        __slots__ = ()

        def __contains__(self, other: object) -> bool:
            raise RuntimeError(*SECRETS)

    service.configure(user_pool_id=Exploding("pool"), allowed_client_ids=Exploding())

    reply = invoke(UPDATE, canaries(UPDATE))

    assert (reply.status, reply.log["cause"]) == (500, "RuntimeError")
    assert_kept(reply.text, reply.printed, str(reply.headers))


def test_keeps_what_a_request_object_holds() -> None:
    caller, record = Caller(access_token=TOKEN), Record("confirm_reset_password")

    request = ConfirmResetPassword(canaries(CONFIRM), caller, SETTINGS, record)

    assert_kept(repr(request), str(request), repr(request.caller), str(request.caller))


@given(password=st.text(min_size=1, max_size=256).map(lambda text: f"canary{text}"))
def test_keeps_any_password_that_cognito_echoes(
    cognito: CognitoFront, invoke: Invoke, password: str
) -> None:
    cognito.answer("ConfirmForgotPassword", error="InvalidPasswordException", message=password)

    reply = invoke(CONFIRM, BODIES[CONFIRM] | {"newPassword": password})

    assert "canary" not in reply.text + reply.printed
