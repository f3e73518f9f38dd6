from typing import Any

import pytest

from functions.operations import Operation
from tests.support.contract import assert_is_problem
from tests.unit.conftest import Invoke, Service

RESET = Operation.RESET_PASSWORD


def test_answers_what_amplify_returns(invoke: Invoke) -> None:
    reply = invoke(RESET, {"username": "Demo@Example.com"})

    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.body == {
        "isPasswordReset": False,
        "nextStep": {
            "resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE",
            "codeDeliveryDetails": {
                "destination": "D***@E***",
                "deliveryMedium": "EMAIL",
                "attributeName": "email",
            },
        },
    }


@pytest.mark.parametrize("username", ["ada", "+15555550100", "@example.com", "ada@"])
def test_leaves_the_delivery_out_for_what_is_no_address(username: str, invoke: Invoke) -> None:
    assert invoke(RESET, {"username": username}).body["nextStep"] == {
        "resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE"
    }


@pytest.mark.parametrize(
    "trouble", [{}, {"error": "UserNotFoundException"}, {"delay": 8}, {"reset": True}]
)
def test_never_asks_cognito_before_the_answer(trouble: dict[str, Any], service: Service) -> None:
    """So neither the answer nor its time can depend on the account."""
    usual = service.invoke(RESET)
    service.cognito.answer("", **trouble)
    service.cognito.answer("ForgotPassword", **trouble)

    assert service.invoke(RESET)[:3] == usual[:3]
    assert {request.action for request in service.cognito.requests} == {"SendMessage"}


def test_a_queue_that_refuses_is_unavailable_and_sends_no_code(service: Service) -> None:
    service.cognito.answer("SendMessage", error="RequestThrottled")

    reply = service.invoke(RESET)

    assert_is_problem(reply, 503, "InternalErrorException")
    assert reply.log["cause"] == "SendMessage.RequestThrottled"
    assert [request.action for request in service.cognito.requests] == ["SendMessage"] * 3


@pytest.mark.parametrize("delivery", [{"Destination": "+*******4567"}, {}, None])
def test_tells_where_the_code_went_when_users_are_revealed(
    delivery: dict[str, str] | None, service: Service
) -> None:
    service.configure(reveal_user_existence=True)
    answer = {} if delivery is None else {"CodeDeliveryDetails": delivery}
    service.cognito.answer("ForgotPassword", body=answer)

    step = service.invoke(RESET).body["nextStep"]

    assert step.get("codeDeliveryDetails") == (
        {"destination": "+*******4567"} if delivery else None
    )


def test_asks_cognito_for_one_code_in_the_name_of_the_client(service: Service) -> None:
    service.configure(threat_protection=True)
    metadata = {"campaign": "spring", "": "empty name"}

    service.finish(RESET, {"username": "Demo@Example.com", "options": {"clientMetadata": metadata}})

    (request,) = (r for r in service.cognito.requests if r.action == "ForgotPassword")
    assert request.body.pop("SecretHash")
    assert request.body == {
        "ClientId": "0client0of0the0tests0",
        "Username": "demo@example.com",
        "ClientMetadata": metadata,
        "UserContextData": {"IpAddress": "192.0.2.7"},
    }


@pytest.mark.parametrize(
    ("lower_case_usernames", "typed", "sent"),
    [
        (True, "DEMO@Example.com", "demo@example.com"),
        (True, "Ada", "Ada"),
        (False, "DEMO@Example.com", "DEMO@Example.com"),
    ],
)
def test_lower_cases_an_address_only_where_the_pool_ignores_case(
    typed: str, sent: str, service: Service, *, lower_case_usernames: bool
) -> None:
    service.configure(lower_case_usernames=lower_case_usernames)

    service.finish(RESET, {"username": typed})

    assert service.cognito.requests[-1].body["Username"] == sent
