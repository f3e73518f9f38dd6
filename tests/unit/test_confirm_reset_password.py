import pytest

from functions.operations import Operation
from functions.problems import CODE_REFUSED
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES
from tests.unit.conftest import Invoke, Service

CONFIRM = Operation.CONFIRM_RESET_PASSWORD


def test_answers_success_with_nothing(invoke: Invoke) -> None:
    reply = invoke(CONFIRM)

    assert (reply.status, reply.text) == (204, "")
    assert "Content-Type" not in reply.headers
    assert reply.metrics == {"Success"}


def test_sends_the_code_and_the_password_to_cognito(cognito: CognitoFront, invoke: Invoke) -> None:
    invoke(CONFIRM, BODIES[CONFIRM] | {"options": {"clientMetadata": {"a": "b"}}})

    (request,) = (r for r in cognito.requests if r.action == "ConfirmForgotPassword")
    assert request.body.pop("SecretHash")
    assert request.body == {
        "ClientId": "0client0of0the0tests0",
        "Username": "demo@example.com",
        "ConfirmationCode": "482916",
        "Password": BODIES[CONFIRM]["newPassword"],
        "ClientMetadata": {"a": "b"},
    }


def test_ends_every_session_of_the_user(
    cognito: CognitoFront, invoke: Invoke, service: Service
) -> None:
    invoke(CONFIRM, BODIES[CONFIRM] | {"username": "Demo@Example.com"})

    assert cognito.requests[-1].action == "AdminUserGlobalSignOut"
    assert cognito.requests[-1].body == {
        "UserPoolId": service.deployment.settings.user_pool_id,
        "Username": "demo@example.com",
    }


def test_ends_every_session_if_the_password_may_have_changed(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("ConfirmForgotPassword", reset=True, forward=True)

    reply = invoke(CONFIRM)

    assert (reply.status, cognito.requests[-1].action) == (504, "AdminUserGlobalSignOut")


def test_ends_no_session_when_the_code_is_refused(cognito: CognitoFront, invoke: Invoke) -> None:
    cognito.answer("ConfirmForgotPassword", error="CodeMismatchException")

    invoke(CONFIRM)

    assert "AdminUserGlobalSignOut" not in {request.action for request in cognito.requests}


def test_counts_the_new_password_even_if_the_sessions_live_on(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("AdminUserGlobalSignOut", error="AccessDeniedException")

    reply = invoke(CONFIRM)

    assert reply.status == 204
    assert reply.metrics == {"Success", "SignOutFailed"}
    assert (reply.log["level"], reply.log["degradations"]) == (
        "WARNING",
        ["SignOutFailed"],
    )


@pytest.mark.parametrize("error", ["CodeMismatchException", "ExpiredCodeException"])
def test_tells_the_owner_of_a_refused_code_what_may_be_wrong(
    error: str, cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("ConfirmForgotPassword", error=error)

    reply = invoke(CONFIRM)

    assert reply.body["type"] == CODE_REFUSED.type
