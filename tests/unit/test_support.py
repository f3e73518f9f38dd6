"""The support desk: what an operator asks for is done once, audited, and nothing else is."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mypy_boto3_dynamodb import DynamoDBClient

from functions.aws.events import EventType
from functions.languages import LANGUAGES, read_texts
from functions.messages import Task
from functions.operations import WORKER_ATTEMPTS, Operation, SupportTask
from functions.protection.limits import WINDOW
from tests.support.contract import ids
from tests.support.front import make_user
from tests.support.invocation import SENDER, SUB, USERNAME, Reply, make_message
from tests.unit.conftest import Configure, Service, after, put
from tests.unit.test_limits import from_address
from tests.unit.test_mails import FROM, mails, text
from tests.unit.test_sessions import TRACKED, queued, revoked, track

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
QUEUE = "the-support-queue"
ACTIONS = {"AdminResetUserPassword", "AdminUserGlobalSignOut", "ForgotPassword", "SendEmail"}
"""The actions that a user notices."""


@pytest.fixture(autouse=True)
def helping(configure: Configure, dynamodb: DynamoDBClient) -> None:
    configure(limits=True, event_bus_name="the-bus", mail_from=FROM)


def ask(
    service: Service, task: str, username: str = USERNAME, *, attempt: int = 1, **more: Any
) -> Reply:
    """Return the worker's reply to a message on the queue of the support desk."""
    body = {"task": task, "username": username, "request_id": "the-request"} | more
    return service.deployment.work(make_message(json.dumps(body), attempt=attempt, queue=QUEUE))


def done(service: Service) -> list[str]:
    """Return the actions that a user noticed, in their order."""
    return [one.action for one in service.cognito.requests if one.action in ACTIONS]


def told(service: Service) -> list[dict[str, str]]:
    """Return the events about support tasks."""
    service.work()
    return [
        json.loads(one["Detail"])
        for one in put(service.cognito)
        if one["DetailType"] == EventType.SUPPORT_FINISHED
    ]


def use_up(service: Service, operation: Operation, *addresses: str, **body: str) -> list[int]:
    """The attempts that pass at each address before one is refused."""
    passed = []
    for address in addresses:
        given = {"username": body["username"]} if body else None
        while service.invoke(operation, given, **caller(operation, address)).status < 400:
            passed.append(address)
    return [passed.count(address) for address in addresses]


@contextmanager
def watching(table: DynamoDBClient, see: Callable[..., None]) -> Iterator[None]:
    """Let a function see each GetItem, or fail it."""
    event = "provide-client-params.dynamodb.GetItem"
    table.meta.events.register(event, see)
    yield
    table.meta.events.unregister(event, see)


def caller(operation: Operation, address: str) -> dict[str, Any]:
    return {} if operation.signed_in else from_address(address)


@pytest.mark.parametrize("operation", [RESET, CONFIRM, UPDATE], ids=ids)
def test_a_user_whose_limits_are_cleared_starts_again_at_every_address(
    operation: Operation, service: Service
) -> None:
    addresses = ["192.0.2.1"] if operation.signed_in else ["192.0.2.1", "192.0.2.2"]
    all_of_them = [operation.attempts_per_hour] * len(addresses)
    assert use_up(service, operation, *addresses) == all_of_them

    for _ in range(2):
        assert ask(service, "clear_limits").metrics == {"Success"}
        assert use_up(service, operation, *addresses) == all_of_them


@pytest.mark.parametrize("name", ["ada", "Ada@Example.com", "+15550100", SUB])
def test_a_user_is_found_by_any_name_and_each_name_is_cleared(name: str, service: Service) -> None:
    user = make_user(email="ada@example.com", phone_number="+15550100") | {"Username": "ada"}
    service.cognito.answer("AdminGetUser", body=user)
    names = ("ada", "ada@example.com", "+15550100")
    for n, one in enumerate(names):
        use_up(service, RESET, f"192.0.2.{n}", username=one)
    use_up(service, UPDATE, "192.0.2.9")

    ask(service, "clear_limits", name)

    for n, one in enumerate(names):
        assert use_up(service, RESET, f"192.0.2.{n}", username=one) == [RESET.attempts_per_hour]
    assert use_up(service, UPDATE, "192.0.2.9") == [UPDATE.attempts_per_hour]


def test_nobody_elses_limits_are_cleared_and_no_networks(service: Service) -> None:
    service.configure(limits=True, attempts_per_address=7)
    use_up(service, RESET, "192.0.2.1", username="eve")
    use_up(service, RESET, "192.0.2.2")

    ask(service, "clear_limits")

    assert use_up(service, RESET, "192.0.2.1", username="eve") == [0]
    assert use_up(service, RESET, "192.0.2.2") == [2]  # and then the address has none left


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(later=st.integers(0, 2 * WINDOW))
def test_clearing_gives_no_window_but_its_own_more_than_the_limit(
    later: int, service: Service
) -> None:
    service.configure(limits=True, pseudonym_key=f"a-key-{later}", update_password_attempts=2)
    use_up(service, UPDATE, "192.0.2.1")
    ask(service, "clear_limits")

    service.clock.now += later

    assert use_up(service, UPDATE, "192.0.2.1") == [2]
    assert use_up(service, UPDATE, "192.0.2.1") == [0]


def test_only_an_attempt_that_would_be_refused_looks_for_a_mark(
    dynamodb: DynamoDBClient, service: Service
) -> None:
    looks = []

    def see(params: dict[str, Any], **_: object) -> None:
        looks.append(params)

    with watching(dynamodb, see):
        statuses = [service.invoke(RESET).status for _ in range(RESET.attempts_per_hour)]
        assert (set(statuses), looks) == ({200}, [])
        assert service.invoke(RESET).status == 429

    assert len(looks) == 1


def test_if_the_table_fails_clearing_is_tried_again_and_a_refusal_stays_one(
    dynamodb: DynamoDBClient, service: Service
) -> None:
    use_up(service, UPDATE, "192.0.2.1")
    service.configure(limits=True, table_name="a-table-that-is-not-there")
    work = ask(service, "clear_limits")
    assert len(work.body["batchItemFailures"]) == 1
    assert "LimitsFailed" in work.metrics

    service.configure(limits=True)

    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "GetItem")

    with watching(dynamodb, fail):
        reply = service.invoke(UPDATE)
    assert (reply.status, "LimitsFailed" in reply.metrics) == (429, True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_required_reset_refuses_the_password_ends_the_sessions_and_tells_the_user(
    language: str, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", body=make_user(locale=language))
    track(service, *TRACKED)

    work = ask(service, "require_reset")

    assert (work.metrics, work.body) == ({"Success"}, {"batchItemFailures": []})
    assert done(service) == ["AdminResetUserPassword", "AdminUserGlobalSignOut", "SendEmail"]
    assert {"sso-other", "tkn-own"} <= revoked(service, "AdminRevokeUserSession").keys()
    assert [one["passes"] for one in queued(service)] == [1]
    (mail,) = mails(service.cognito)
    assert mail["Destination"]["ToAddresses"] == [USERNAME]
    title, *paragraphs = read_texts(language)["resetRequired"]
    assert mail["Content"]["Simple"]["Subject"]["Data"] == title
    assert text(mail).split("\n\n")[-1].strip() == paragraphs[-1]
    assert USERNAME in text(mail)


@pytest.mark.parametrize(
    ("action", "script", "resets"),
    [
        ("AdminUserGlobalSignOut", {"error": "TooManyRequestsException"}, 1),
        ("SendEmail", {"error": "TooManyRequestsException", "status": 429}, 1),
        ("AdminResetUserPassword", {"error": "TooManyRequestsException"}, 2),
        ("AdminResetUserPassword", {"reset": True}, 2),
    ],
    ids=["no sign-out", "no mail", "throttled", "of unknown outcome"],
)
def test_a_required_reset_is_tried_again_and_takes_no_new_password_away(
    action: str, script: dict[str, Any], resets: int, service: Service
) -> None:
    service.cognito.answer(action, **script)
    first = ask(service, "require_reset")
    assert len(first.body["batchItemFailures"]) == 1
    service.cognito.answer(action, body={"MessageId": "a-mail"})
    second = ask(service, "require_reset", attempt=2)

    assert second.body["batchItemFailures"] == []
    assert done(service).count("AdminResetUserPassword") == resets
    assert done(service)[-2:] == ["AdminUserGlobalSignOut", "SendEmail"]


def test_a_list_that_is_sent_again_mails_nobody_twice_and_a_new_request_acts(
    service: Service,
) -> None:
    for id_ in ("list/1", "list/1", "list/2", "another"):
        work = ask(service, "require_reset", request_id=id_)
        assert work.metrics == {"Success"}

    assert done(service).count("AdminResetUserPassword") == 3
    assert len(mails(service.cognito)) == 3


@pytest.mark.parametrize(
    ("user", "cause"),
    [
        (make_user("FORCE_CHANGE_PASSWORD"), "Invited"),
        (make_user("EXTERNAL_PROVIDER"), "Federated"),
        (make_user("UNCONFIRMED", email_verified="false"), "Unconfirmed"),
        (make_user(email_verified="false"), "NoVerifiedAddress"),
    ],
)
def test_sessions_end_and_the_operator_is_told_if_there_is_no_password_to_refuse(
    user: dict[str, Any], cause: str, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", body=user)

    work = ask(service, "require_reset")

    assert (done(service), work.body["batchItemFailures"]) == (["AdminUserGlobalSignOut"], [])
    assert (work.metrics, work.log["cause"]) == ({cause, work.log["outcome"]}, cause)
    assert [one["outcome"] for one in told(service)] == [cause]


@pytest.mark.parametrize("error", ["InvalidParameterException", "UserNotConfirmedException"])
def test_sessions_end_also_if_only_cognito_knows_that_the_password_stays(
    error: str, service: Service
) -> None:
    service.cognito.answer("AdminResetUserPassword", error=error)

    work = ask(service, "require_reset")

    assert work.body["batchItemFailures"] == []
    assert done(service) == ["AdminResetUserPassword", "AdminUserGlobalSignOut"]
    assert [one["outcome"] for one in told(service)] == [error]


@pytest.mark.parametrize("off", [{"mail_from": ""}, {"phone": True}], ids=["no sender", "a phone"])
def test_without_a_sender_or_an_address_cognitos_own_message_tells_the_user(
    off: dict[str, Any], service: Service
) -> None:
    if "phone" in off:
        phone = make_user(email_verified="false", phone_number_verified="true")
        service.cognito.answer("AdminGetUser", body=phone)
    else:
        service.configure(**off)

    assert ask(service, "require_reset").metrics == {"Success"}
    assert done(service) == ["AdminResetUserPassword", "AdminUserGlobalSignOut"]


def test_a_code_is_sent_however_long_a_list_is_and_the_log_says_if_one_was_sent_just_now(
    service: Service,
) -> None:
    service.configure(code_pause=60)
    service.clock.now += 10 * WINDOW

    first, second = (ask(service, "send_code") for _ in range(2))

    assert done(service) == ["ForgotPassword"]
    assert (first.log["outcome"], second.log["cause"]) == ("Success", "ResetRepeated")


@pytest.mark.parametrize("task", ["send_code", "require_reset"])
@pytest.mark.parametrize(("cognito_takes", "lasts"), [(0.0, 1.0), (1.5, 1.5)])
def test_a_task_takes_its_share_of_a_second_however_quick_cognito_is(
    cognito_takes: float, lasts: float, task: str, service: Service
) -> None:
    service.configure(code_interval=1.0)
    slow = after(service.clock, cognito_takes, None)

    def respond(action: str, body: dict[str, Any]) -> dict[str, Any]:
        known = {"AdminResetUserPassword": "ForgotPassword"}
        return slow(known.get(action, action), body)

    service.cognito.respond = respond

    assert ask(service, task).log["duration"] == lasts


@pytest.mark.parametrize("task", SupportTask)
def test_each_task_is_audited_by_who_sent_the_message_and_nothing_in_it_is_believed(
    task: SupportTask, service: Service
) -> None:
    own = service.invoke(RESET).log["user"]
    service.cognito.reset()
    names = ("sender", "user", "source_ip", "SenderId", "email", "requested_at")
    lies: dict[str, Any] = dict.fromkeys(names, "mallory")

    work = ask(service, task, **lies)

    line = work.log
    assert (line["sender"], line["task"], line["user"]) == (SENDER, task, own)
    assert (line["request_id"], line["outcome"]) == ("the-request", "Success")
    assert "mallory" not in work.printed
    assert "source_ip" not in line
    assert told(service) == [
        {
            "task": task,
            "username": USERNAME,
            "sub": SUB,
            "outcome": "Success",
            "sender": SENDER,
            "userPoolId": service.deployment.settings.user_pool_id,
            "requestId": "the-request",
        }
    ]


@pytest.mark.parametrize("task", SupportTask)
def test_an_unknown_user_is_no_hidden_failure_and_no_secret(
    task: SupportTask, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    service.cognito.answer("ForgotPassword", error="UserNotFoundException")

    work = ask(service, task)

    assert (work.metrics, work.log["level"]) == ({"UserNotFoundException"}, "INFO")
    assert [one["outcome"] for one in told(service)] == ["UserNotFoundException"]
    assert work.body["batchItemFailures"] == []


@pytest.mark.parametrize(
    ("queue", "task"),
    [
        *(("the-queue", str(one)) for one in SupportTask if one not in {*Task}),
        *(("another-queue", str(one)) for one in SupportTask if one not in {*Task}),
        *((QUEUE, str(one)) for one in Task if one not in {*SupportTask}),
    ],
)
def test_a_task_of_the_support_desk_comes_by_its_own_queue_and_no_other_task_does(
    queue: str, task: str, service: Service
) -> None:
    own = {"task": task, "username": USERNAME, "request_id": "r"}
    others = {"source_ip": "", "user": None, "parameters": {"username": USERNAME}}
    body = json.dumps(own | others | {"requested_at": 0})

    work = service.deployment.work(make_message(body, queue=queue))

    assert "Crash" in work.metrics
    assert done(service) == []
    (postponed,) = service.cognito.requests
    assert postponed.action == "ChangeMessageVisibility"


@pytest.mark.parametrize("attempt", [1, WORKER_ATTEMPTS])
def test_a_failure_is_postponed_on_the_queue_that_it_came_from(
    attempt: int, service: Service
) -> None:
    service.cognito.answer("AdminUserGlobalSignOut", error="TooManyRequestsException")

    work = ask(service, "require_reset", attempt=attempt)

    assert len(work.body["batchItemFailures"]) == 1
    (postponed,) = service.cognito.take("ChangeMessageVisibility")
    assert postponed.body["QueueUrl"].endswith(f"/123456789012/{QUEUE}")
    assert told(service) == []
