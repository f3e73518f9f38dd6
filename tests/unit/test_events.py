"""On success others are told, and nobody is told of a mere request."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from functions import events
from functions.operations import Operation
from tests.cognito_front import CognitoFront
from tests.unit.conftest import BODIES, REQUEST_ID, SETTINGS, SUB, Configure, Invoke
from tests.unit.test_problems import ids

RESET, CONFIRM, UPDATE = Operation
changing = pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)


@pytest.fixture
def bus(configure: Configure) -> Iterator[Stubber]:
    """EventBridge: a call that no test expects fails."""
    configure(event_bus_name="the-bus")
    events.client.cache_clear()
    with Stubber(events.client()) as stub:
        yield stub
        stub.assert_no_pending_responses()
    events.client.cache_clear()


class Detail:
    """Equal to the JSON of an event's detail that holds at least this."""

    def __init__(self, **members: str) -> None:
        self.members = members

    def __eq__(self, other: object) -> bool:
        detail: dict[str, Any] = json.loads(str(other))
        return detail == self.members

    __hash__ = None  # type: ignore[assignment]


def answer(failed: int = 0) -> dict[str, Any]:
    """EventBridge's own: one without a request id would be a proxy's."""
    return {"FailedEntryCount": failed, "ResponseMetadata": {"RequestId": "stub"}}


def expect(bus: Stubber, detail_type: str, failed: int = 0, **user: str) -> None:
    detail = Detail(
        **user,
        userPoolId=SETTINGS.user_pool_id,
        requestId=REQUEST_ID,
        sourceIp="192.0.2.7",
        userAgent="tests",
    )
    entry = {
        "EventBusName": "the-bus",
        "Source": "password-service",
        "DetailType": detail_type,
        "Detail": detail,
    }
    bus.add_response("put_events", answer(failed), {"Entries": [entry]})


def test_tells_that_a_reset_was_confirmed(bus: Stubber, invoke: Invoke) -> None:
    expect(bus, "Password Reset Confirmed", username="ada@example.com")

    assert invoke(CONFIRM).metrics == {"Success"}


def test_tells_that_a_password_was_updated(bus: Stubber, invoke: Invoke) -> None:
    expect(bus, "Password Updated", sub=SUB)

    assert invoke(UPDATE).metrics == {"Success"}


@pytest.mark.usefixtures("bus")
def test_tells_nothing_of_a_mere_request(invoke: Invoke) -> None:
    assert invoke(RESET).metrics == {"Success"}


@changing
@pytest.mark.usefixtures("bus")
def test_tells_nothing_of_a_failure(
    operation: Operation, cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer(operation.calls[0], error="NotAuthorizedException")

    assert "EventFailed" not in invoke(operation).metrics


@changing
def test_the_answer_stands_when_an_event_cannot_be_put(
    operation: Operation, bus: Stubber, invoke: Invoke
) -> None:
    bus.add_client_error("put_events", "ThrottlingException")

    reply = invoke(operation)

    assert (reply.status, reply.metrics) == (204, {"Success", "EventFailed"})


@changing
def test_an_event_that_the_bus_refuses_is_an_incident(
    operation: Operation, bus: Stubber, invoke: Invoke
) -> None:
    bus.add_response("put_events", answer(failed=1), {"Entries": ANY})

    assert invoke(operation).metrics == {"Success", "EventFailed"}


@changing
def test_makes_no_client_for_events_that_are_off(operation: Operation, invoke: Invoke) -> None:
    events.client.cache_clear()

    invoke(operation)

    assert events.client.cache_info().currsize == 0


def test_no_event_holds_a_secret(bus: Stubber, invoke: Invoke) -> None:
    seen: list[str] = []

    class Anything:
        def __eq__(self, other: object) -> bool:
            seen.append(str(other))
            return True

        __hash__ = None  # type: ignore[assignment]

    bus.add_response("put_events", {"FailedEntryCount": 0}, {"Entries": Anything()})

    invoke(CONFIRM)

    assert seen
    assert BODIES[CONFIRM]["newPassword"] not in seen[0]
    assert BODIES[CONFIRM]["confirmationCode"] not in seen[0]
