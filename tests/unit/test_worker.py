"""Accepted work is done later: now, after a failure, or by a person who finds it dead."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.messages import Message, Task
from functions.operations import WORKER_ATTEMPTS, Operation
from tests.support import ROOT
from tests.support.front import make_user
from tests.support.invocation import NOW, REQUEST_ID, SUB, make_message
from tests.unit.conftest import Service, after

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD

DROPPED = [
    "LimitExceededException",
    "NotAuthorizedException",
    "UserLambdaValidationException",
    "UserNotConfirmedException",
    "UserNotFoundException",
]
DAILY_LIMIT = "Exceeded daily email limit for the operation or the account."
RETRIED: list[dict[str, Any]] = [
    {"error": "TooManyRequestsException"},
    {"error": "InternalErrorException", "status": 500},
    {"error": "CodeDeliveryFailureException"},
    {"error": "UnexpectedLambdaException"},
    {"error": "InvalidSmsRoleAccessPolicyException"},
    {"error": "BrandNewException"},
    {"error": "LimitExceededException", "message": DAILY_LIMIT},
    {"reset": True},
    {"status": 503, "body": b"<html>"},
]


@pytest.mark.parametrize("error", DROPPED)
def test_what_only_the_account_causes_is_recorded_and_dropped(error: str, service: Service) -> None:
    text = "User is disabled." if error == "NotAuthorizedException" else ""
    service.cognito.answer("ForgotPassword", error=error, message=text)
    work = service.finish(RESET)

    assert work.body == {"batchItemFailures": []}
    assert work.metrics == {error, "Hidden"}
    assert work.log["task"] == "send_code"


@pytest.mark.parametrize("trouble", RETRIED, ids=str)
def test_other_failures_are_retried_with_growing_delays(
    trouble: dict[str, Any], service: Service
) -> None:
    waits = []
    for attempt in range(1, 6):
        service.cognito.reset()
        service.cognito.answer("ForgotPassword", **trouble)
        service.invoke(RESET)
        work = service.work(attempt=attempt)
        assert len(work.body["batchItemFailures"]) == 1
        # Each message counts its cause once.
        assert (work.log["cause"] in work.metrics) == (attempt == 1)
        assert "Retried" in work.metrics
        is_new = trouble.get("error") == "BrandNewException"
        assert ("UnknownException" in work.metrics) == is_new
        assert sum(one.action == "ForgotPassword" for one in service.cognito.requests) == 1
        waits.append(service.cognito.requests[-1].body["VisibilityTimeout"])
        assert work.log["retry_after"] == waits[-1]

    assert waits == [3, 9, 27, 81, 243]
    assert sum(waits) < 600, "the last attempt comes too late for a code"
    assert len(waits) == WORKER_ATTEMPTS - 1


def test_the_last_attempt_makes_a_dead_letter_at_once(service: Service) -> None:
    service.cognito.answer("ForgotPassword", error="CodeDeliveryFailureException")
    service.invoke(RESET)

    work = service.work(attempt=WORKER_ATTEMPTS)

    assert len(work.body["batchItemFailures"]) == 1
    assert service.cognito.requests[-1].body["VisibilityTimeout"] == 0
    assert "retry_after" not in work.log
    assert work.metrics == {"CodeDeliveryFailureException"}


POOL_WITH_DEVICES = {"UserPool": {"DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True}}}


@pytest.mark.parametrize("action", ["AdminUserGlobalSignOut", "AdminListDevices"])
@pytest.mark.parametrize(
    ("error", "again"),
    [("UserNotFoundException", False), ("LimitExceededException", True), ("NewException", True)],
)
def test_a_sign_out_and_forgetting_are_retried_unless_the_user_is_gone(
    action: str, error: str, again: bool, service: Service
) -> None:
    service.cognito.answer("DescribeUserPool", body=POOL_WITH_DEVICES)
    service.cognito.answer(action, error=error)
    work = service.finish(CONFIRM)

    assert len(work.body["batchItemFailures"]) == again
    assert ("UserGone" in work.metrics) != again


@pytest.mark.parametrize("lost", [False, True], ids=["confirmed", "of unknown outcome"])
def test_a_reset_forgets_every_device_of_the_user_once(lost: bool, service: Service) -> None:
    keys = [f"us-east-1_device-{n}" for n in range(3)]
    page: dict[str, Any] = {"Devices": [{"DeviceKey": key} for key in keys[:2]]}
    service.cognito.answer("DescribeUserPool", body=POOL_WITH_DEVICES)
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW))
    service.cognito.answer("AdminListDevices", body=page | {"PaginationToken": "more"}, times=1)
    service.cognito.answer("AdminListDevices", body={"Devices": [{"DeviceKey": keys[2]}]})
    if lost:
        service.cognito.answer(CONFIRM.action, reset=True, forward=True)
    assert service.invoke(CONFIRM).status == (504 if lost else 204)
    assert "AdminListDevices" not in {one.action for one in service.cognito.requests}
    service.work()

    user = {"UserPoolId": service.deployment.settings.user_pool_id, "Username": SUB}
    first, second = (one.body for one in service.cognito.take("AdminListDevices"))
    assert (first, second) == (user | {"Limit": 60}, first | {"PaginationToken": "more"})
    forgotten = [one.body for one in service.cognito.take("AdminForgetDevice")]
    assert forgotten == [user | {"DeviceKey": key} for key in keys]


@pytest.mark.parametrize(
    ("operation", "pool"),
    [
        (CONFIRM, {"body": {"UserPool": {}}}),
        (Operation.UPDATE_PASSWORD, {"body": POOL_WITH_DEVICES}),
    ],
    ids=["a pool without memory", "an update"],
)
def test_no_other_change_lists_devices(
    operation: Operation, pool: dict[str, Any], service: Service
) -> None:
    service.cognito.answer("DescribeUserPool", **pool)
    service.finish(operation)

    assert "AdminListDevices" not in {one.action for one in service.cognito.requests}


def test_a_message_of_a_newer_version_may_have_more_members(service: Service) -> None:
    text = (ROOT / "events/worker_send_code.json").read_text()
    body = json.loads(json.loads(text)["Records"][0]["body"]) | {"new": "member"}

    assert service.deployment.work(make_message(json.dumps(body))).metrics == {"Success"}


def test_a_crash_has_a_metric_and_the_message_comes_again(service: Service) -> None:
    work = service.deployment.work(make_message("{"))

    assert work.metrics >= {"Crash", "Retried"}
    assert work.log["level"] == "ERROR"


@pytest.mark.parametrize(("age", "sent"), [(590, True), (610, False)])
def test_a_code_that_comes_too_late_is_not_sent(age: float, sent: bool, service: Service) -> None:
    service.invoke(RESET)

    work = service.work(age=age)

    assert ("ForgotPassword" in {one.action for one in service.cognito.requests}) == sent
    assert ("MessageExpired" in work.metrics) != sent
    assert work.body == {"batchItemFailures": []}


@pytest.mark.parametrize(("cognito_takes", "lasts"), [(0.0, 1.0), (0.75, 1.0), (1.5, 1.5)])
@pytest.mark.parametrize("error", [None, "UserNotFoundException"])
def test_a_code_takes_its_share_of_a_second_however_quick_cognito_is(
    error: str | None, cognito_takes: float, lasts: float, service: Service
) -> None:
    service.configure(code_interval=1.0)
    service.cognito.respond = after(service.clock, cognito_takes, error)
    assert service.finish(RESET).log["duration"] == lasts


@given(good=st.lists(st.booleans(), min_size=1, max_size=5))
def test_the_failure_of_one_message_does_not_stop_the_others(
    good: list[bool], service: Service
) -> None:
    service.cognito.reset()
    parameters = {"username": "ada", "client_metadata": {}}
    body = Message(Task.SEND_CODE, REQUEST_ID, "192.0.2.7", None, parameters, NOW)
    messages = [make_message(json.dumps(body._asdict()) if one else "{") for one in good]

    work = service.deployment.work(*messages)

    failed = [one["itemIdentifier"] for one in work.body["batchItemFailures"]]
    bad = [one["messageId"] for one, is_good in zip(messages, good, strict=True) if not is_good]
    assert failed == bad
    codes = [one for one in service.cognito.requests if one.action == "ForgotPassword"]
    assert len(codes) == sum(good)


def test_a_wrong_secret_hash_is_computed_again_with_the_new_secret(service: Service) -> None:
    service.finish(RESET)
    text = "Unable to verify secret hash for client"
    service.cognito.answer("ForgotPassword", error="NotAuthorizedException", message=text, times=1)
    assert service.finish(RESET).metrics == {"Success"}


def test_the_log_line_names_the_request_and_the_user_of_the_reset(service: Service) -> None:
    asked = service.invoke(RESET).log

    line = service.work().log

    for member in ("request_id", "user", "pool", "source_ip"):
        assert line[member] == asked[member]


@pytest.mark.usefixtures("dynamodb")
@pytest.mark.parametrize("task", Task)
def test_a_sample_message_is_one_of_sqs_and_is_carried_out(task: Task, service: Service) -> None:
    service.configure(event_bus_name="the-bus", mail_from="no-reply@example.com")
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW))
    text = (ROOT / "events" / f"worker_{task}.json").read_text()
    (message,) = json.loads(text)["Records"]

    work = service.deployment.work(message)

    assert message["md5OfBody"] == hashlib.md5(message["body"].encode()).hexdigest()
    assert (work.log["task"], work.metrics) == (task, {"Success"})
    assert work.body == {"batchItemFailures": []}
    assert (
        service.cognito.requests[-1].action
        == {
            Task.SEND_CODE: "ForgotPassword",
            Task.END_SESSIONS: "AdminUserGlobalSignOut",
            Task.END_OTHER_SESSIONS: "AdminListUserSessions",
            Task.FORGET_DEVICES: "AdminListDevices",
            Task.CHECK_CHANGE: "PutEvents",
            Task.PUT_EVENT: "PutEvents",
            Task.MAIL_CHANGE: "SendEmail",
        }[task]
    )


EVERYTHING = {"event_bus_name": "b", "mail_from": "a@example.com", "resend_invitations": True}


@pytest.mark.parametrize("features", [{}, EVERYTHING])
def test_a_start_reads_what_the_first_message_needs(
    features: dict[str, Any], service: Service
) -> None:
    service.configure(**features)
    service.deployment.worker.start()

    assert [request.action for request in service.cognito.requests] == ["DescribeUserPoolClient"]
