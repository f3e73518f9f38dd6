"""A changed password is announced, and a mere request is not."""

import json
from typing import Any

import jsonschema_rs
import pytest

from functions.aws.events import EventType
from functions.messages import Task
from functions.operations import WORKER_ATTEMPTS, Operation
from tests.support.contract import EVENTS, ids
from tests.support.front import make_user
from tests.support.invocation import NOW, REQUEST_ID, SUB, USERNAME, make_message
from tests.unit.conftest import Configure, Service, put

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
pytestmark = pytest.mark.usefixtures("bus")
changing = pytest.mark.parametrize(
    "operation", [one for one in Operation if one.changes_password], ids=lambda one: one.id
)


@pytest.fixture
def bus(configure: Configure) -> None:
    configure(event_bus_name="the-bus")


@pytest.mark.parametrize(
    ("operation", "detail_type", "user"),
    [
        (CONFIRM, "Password Reset Confirmed", {"username": USERNAME, "sub": SUB}),
        (UPDATE, "Password Updated", {"sub": SUB}),
    ],
    ids=["confirm", "update"],
)
def test_a_changed_password_is_announced_once_without_a_secret(
    operation: Operation, detail_type: str, user: dict[str, str], service: Service
) -> None:
    reply = service.invoke(operation)
    assert put(service.cognito) == []
    work = service.work()

    (entry,) = put(service.cognito)
    assert reply.metrics == work.metrics == {"Success"}
    assert json.loads(entry["Detail"]) == user | {
        "userPoolId": service.deployment.settings.user_pool_id,
        "requestId": REQUEST_ID,
        "sourceIp": "192.0.2.7",
        "userAgent": "tests",
    }
    assert entry == {
        "EventBusName": "the-bus",
        "Source": "password-service",
        "DetailType": detail_type,
        "Detail": entry["Detail"],
    }


def test_a_user_agent_is_cut_in_the_log_the_queue_and_the_event(service: Service) -> None:
    identity = {"sourceIp": "192.0.2.7", "userAgent": "x" * 9000}

    reply = service.invoke(CONFIRM, requestContext={"requestId": "r", "identity": identity})
    queued = service.cognito.messages
    service.work()

    for text in map(str, (reply.printed, queued, put(service.cognito))):
        assert ("x" * 512 in text, "x" * 513 in text) == (True, False)


@pytest.mark.parametrize(
    ("operation", "bus", "error"),
    [
        (RESET, "the-bus", None),
        (CONFIRM, "the-bus", "NotAuthorizedException"),
        (UPDATE, "the-bus", "NotAuthorizedException"),
        (CONFIRM, "", None),
        (UPDATE, "", None),
    ],
    ids=ids,
)
def test_nothing_is_announced_for_a_mere_request_or_a_failure_or_without_a_bus(
    operation: Operation, bus: str, error: str | None, service: Service
) -> None:
    service.configure(event_bus_name=bus)
    if error:
        service.cognito.answer(operation.action, error=error)
    service.finish(operation)

    assert put(service.cognito) == []


@pytest.mark.parametrize(
    "trouble",
    [
        {"error": "AccessDeniedException"},
        {"body": {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}},
    ],
)
def test_an_event_that_cannot_be_put_is_retried(trouble: dict[str, Any], service: Service) -> None:
    service.invoke(UPDATE)
    service.cognito.answer("PutEvents", **trouble)

    work = service.work()

    assert work.metrics >= {"Retried"}
    assert len(work.body["batchItemFailures"]) == 1


@changing
@pytest.mark.parametrize("lost", [False, True])
def test_an_event_that_the_queue_refuses_is_put_at_once(
    operation: Operation, lost: bool, service: Service
) -> None:
    service.cognito.fail_queue(error="AccessDenied")
    if lost:
        service.cognito.answer("PutEvents", error="AccessDeniedException")

    reply = service.invoke(operation)

    assert len(put(service.cognito)) == 1
    assert (reply.status, reply.log["level"]) == (204, "ERROR")
    assert reply.metrics == {"Success", "QueueFailed", *(["EventLost"] if lost else [])}


@changing
@pytest.mark.parametrize("again", [{"Failed": []}, None])
@pytest.mark.parametrize(("position", "task"), [(0, Task.PUT_EVENT), (1, Task.MAIL_CHANGE)])
def test_what_the_queue_does_not_take_of_a_batch_is_sent_again_and_nothing_else(
    operation: Operation,
    position: int,
    task: Task,
    again: dict[str, Any] | None,
    service: Service,
) -> None:
    """SQS answers 200, and names the messages that it did not take."""
    service.configure(event_bus_name="the-bus", mail_from="no-reply@example.com")
    refused = {"Failed": [{"Id": f"{position}", "Code": "InternalError", "SenderFault": False}]}
    service.cognito.answer("SendMessageBatch", body=refused, times=1)
    service.cognito.answer("SendMessageBatch", body=again or refused)

    reply = service.invoke(operation)
    first, second, *more = (
        one.body["Entries"] for one in service.cognito.requests if one.action == "SendMessageBatch"
    )

    assert second == first[position : position + 1]
    assert json.loads(second[0]["MessageBody"])["task"] == task
    assert more == ([] if again else [second])
    assert reply.status == 204
    assert reply.metrics == {"Success", *([] if again else ["QueueFailed"])}
    assert len(put(service.cognito)) == (0 if again or task is not Task.PUT_EVENT else 1)


@changing
def test_a_change_of_unknown_outcome_is_announced_once_it_shows(
    operation: Operation, service: Service
) -> None:
    service.cognito.answer(operation.action, reset=True, forward=True)
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW + 1))

    assert service.invoke(operation).status == 504
    service.work()

    assert len(put(service.cognito)) == 1


def announce(service: Service) -> str:
    """Confirm while Cognito cannot be asked about users, and return the message on the queue."""
    service.cognito.answer("AdminGetUser", error="TooManyRequestsException")
    assert "NamesUnreadable" in service.invoke(CONFIRM).metrics
    (message,) = service.cognito.take_messages()
    body: str = message["MessageBody"]
    assert SUB not in body
    return body


def test_the_worker_adds_the_id_of_a_user_whom_cognito_did_not_tell(service: Service) -> None:
    body = announce(service)
    service.cognito.answer("AdminGetUser", body=make_user())
    assert service.deployment.work(make_message(body)).metrics == {"Success"}

    (entry,) = put(service.cognito)
    assert json.loads(entry["Detail"])["sub"] == SUB


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        ("TooManyRequestsException", WORKER_ATTEMPTS),
        ("InvalidParameterException", 1),  # a retry would change nothing
        ("UserNotFoundException", 1),
    ],
)
def test_an_event_is_rather_put_without_the_id_of_the_user_than_lost(
    error: str, attempts: int, service: Service
) -> None:
    body = announce(service)
    service.cognito.answer("AdminGetUser", error=error)
    for attempt in range(1, attempts + 1):
        assert put(service.cognito) == []
        service.deployment.work(make_message(body, attempt=attempt))

    (entry,) = put(service.cognito)
    assert json.loads(entry["Detail"])["username"] == USERNAME
    assert "sub" not in json.loads(entry["Detail"])


def test_each_event_has_a_schema_that_eventbridge_takes() -> None:
    schemas = {file.stem: json.loads(file.read_text()) for file in EVENTS.iterdir()}

    assert {one["x-amazon-events-detail-type"] for one in schemas.values()} == {*EventType}
    for name, schema in schemas.items():
        assert name == schema["title"] == schema["x-amazon-events-detail-type"].replace(" ", "")
        assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
        jsonschema_rs.meta.validate(schema)
