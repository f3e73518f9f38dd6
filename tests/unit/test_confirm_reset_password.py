import pytest

from functions.operations import Operation
from functions.problems import CODE_REFUSED
from tests.support.front import CognitoFront, make_user
from tests.support.invocation import BODIES, NOW, SUB
from tests.unit.conftest import Invoke, Service, sent

CONFIRM = Operation.CONFIRM_RESET_PASSWORD


def test_answers_success_with_nothing(cognito: CognitoFront, invoke: Invoke) -> None:
    reply = invoke(CONFIRM, BODIES[CONFIRM] | {"options": {"clientMetadata": {"a": "b"}}})

    assert (reply.status, reply.text, reply.metrics) == (204, "", {"Success"})
    assert "Content-Type" not in reply.headers
    (request,) = sent(cognito, CONFIRM)
    assert request.body.pop("SecretHash")
    assert request.body == {
        "ClientId": "0client0of0the0tests0",
        "Username": "demo@example.com",
        "ConfirmationCode": "482916",
        "Password": BODIES[CONFIRM]["newPassword"],
        "ClientMetadata": {"a": "b"},
    }


def test_ends_every_session_of_the_user(service: Service) -> None:
    service.invoke(CONFIRM, BODIES[CONFIRM] | {"username": "Demo@Example.com"})

    pool = {"UserPoolId": service.deployment.settings.user_pool_id}
    asked = [(one.action, one.body) for one in service.cognito.requests]
    assert ("AdminGetUser", pool | {"Username": "demo@example.com"}) in asked
    # The `sub` is the name that nobody can change meanwhile.
    assert asked[-1] == ("AdminUserGlobalSignOut", pool | {"Username": SUB})


@pytest.mark.parametrize(
    ("changed", "age", "signed_out", "again"),
    [(1, 0, True, False), (-60, 0, False, True), (-60, 61, False, False)],
)
def test_an_unknown_outcome_ends_sessions_only_if_the_account_has_changed_since(
    changed: float, age: float, signed_out: bool, again: bool, service: Service
) -> None:
    service.cognito.answer("ConfirmForgotPassword", reset=True, forward=True)
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW + changed))

    reply = service.invoke(CONFIRM)
    before = {request.action for request in service.cognito.requests}
    service.clock.now += age
    work = service.work()

    assert (reply.status, "AdminUserGlobalSignOut" in before) == (504, False)
    assert (service.cognito.requests[-1].action == "AdminUserGlobalSignOut") == signed_out
    assert len(work.body["batchItemFailures"]) == again


@pytest.mark.parametrize("error", ["UnexpectedLambda", "UserLambdaValidation"])
def test_a_trigger_that_fails_after_the_change_leaves_no_session(
    error: str, service: Service
) -> None:
    service.cognito.answer("ConfirmForgotPassword", error=f"{error}Exception")
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW + 1))

    assert service.invoke(CONFIRM).body["type"] == CODE_REFUSED.type
    service.work()

    assert service.cognito.requests[-1].action == "AdminUserGlobalSignOut"


def test_the_worker_ends_the_sessions_that_live_on(service: Service) -> None:
    service.cognito.answer("AdminUserGlobalSignOut", error="AccessDeniedException", times=1)

    reply = service.invoke(CONFIRM)
    work = service.work()

    assert reply.status == 204
    assert reply.metrics == {"Success", "SignOutDelayed"}
    assert reply.log["level"] == "WARNING"
    assert work.metrics == {"Success"}
    ended = [one.body for one in service.cognito.requests if one.action == "AdminUserGlobalSignOut"]
    assert ended[0] == ended[1]


def test_a_name_that_cognito_cannot_hold_is_no_fault_of_ours(service: Service) -> None:
    service.cognito.answer("AdminGetUser", error="InvalidParameterException")
    service.cognito.answer(CONFIRM.action, error="InvalidParameterException")

    reply = service.invoke(CONFIRM, BODIES[CONFIRM] | {"username": "ada\ue000"})

    assert (reply.status, "NamesUnreadable" in reply.metrics) == (400, False)


def test_nothing_is_asked_about_a_user_while_the_secret_cannot_be_read(service: Service) -> None:
    service.cognito.answer("DescribeUserPoolClient", error="TooManyRequestsException")

    reply = service.invoke(CONFIRM)

    assert reply.status == 503
    assert {request.action for request in service.cognito.requests} <= {
        *("DescribeUserPool", "DescribeUserPoolClient")
    }
