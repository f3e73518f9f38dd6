"""One reset of a name in a minute, so that an account that is slow delays nobody else's code."""

from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from functions import outcomes
from functions.operations import Operation
from tests.support.front import Refusal
from tests.support.invocation import SETTINGS, SUB, Reply, make_message
from tests.unit.conftest import Configure, Service, after, sent

RESET = Operation.RESET_PASSWORD
PAUSE = 60


@pytest.fixture(autouse=True)
def pausing(configure: Configure, dynamodb: DynamoDBClient) -> None:
    configure(code_pause=PAUSE, code_interval=1.0)


def queued(service: Service, name: str = "demo@example.com") -> dict[str, Any]:
    """The message of one more reset."""
    service.invoke(RESET, {"username": name})
    (request,) = service.cognito.take("SendMessage")
    return make_message(request.body["MessageBody"])


def attempts(message: dict[str, Any], service: Service, *numbers: int) -> list[Reply]:
    """Return the worker's replies to a message that SQS delivers again and again."""
    counts = [message["attributes"] | {"ApproximateReceiveCount": str(n)} for n in numbers]
    return [service.deployment.work(message | {"attributes": one}) for one in counts]


@pytest.mark.parametrize("error", [None, "UserNotFoundException", "CodeDeliveryFailureException"])
def test_of_forty_resets_of_a_slow_name_one_reaches_cognito_and_the_others_end_at_once(
    error: str | None, service: Service
) -> None:
    service.cognito.respond = after(service.clock, 2.5, error)
    messages = [queued(service) for _ in range(40)]

    work = service.deployment.work(*messages)

    lines = [line for line in work.lines if "level" in line]
    assert len(sent(service.cognito, RESET)) == 1
    assert [line["duration"] for line in lines] == [2.5] + [0.0] * 39
    assert {(line["cause"], line["level"]) for line in lines[1:]} == {("ResetRepeated", "INFO")}
    assert "ResetRepeated" in work.metrics
    assert len(work.body["batchItemFailures"]) == (error == "CodeDeliveryFailureException")


@pytest.mark.parametrize(("later", "codes"), [(PAUSE - 2, 1), (PAUSE, 2)])
def test_a_name_is_reset_again_once_its_pause_is_over(
    later: int, codes: int, service: Service
) -> None:
    service.finish(RESET)
    service.clock.now += later
    service.finish(RESET)

    assert len(sent(service.cognito, RESET)) == codes


def test_spellings_of_a_name_share_its_pause_and_other_names_do_not(service: Service) -> None:
    for name in ("ros\u00e9@example.com", "ROSE\u0301@Example.com", "ro\u017f\u00e9@example.com"):
        service.finish(RESET, {"username": name})
    service.finish(RESET, {"username": "rose@example.com"})

    assert len(sent(service.cognito, RESET)) == 2


def test_a_retry_is_known_by_the_id_that_sqs_gave_its_message(service: Service) -> None:
    """The request's own ID is the same for all, as if a caller had chosen it."""
    service.cognito.answer(RESET.action, error="CodeDeliveryFailureException", times=1)
    message = queued(service)

    works = [*attempts(message, service, 1), service.finish(RESET), *attempts(message, service, 2)]

    assert [work.log.get("cause") for work in works] == [
        *("CodeDeliveryFailureException", "ResetRepeated", None)
    ]


def test_only_a_failure_that_no_account_can_cause_frees_the_name(service: Service) -> None:
    for n, row in enumerate(outcomes.COGNITO):
        error, cause = row.exception or row.cause, row.cause
        service.cognito.reset()
        service.cognito.answer("AdminGetUser", error=error, message=row.text)
        causes = [service.finish(RESET, {"username": f"ada{n}"}).log["cause"] for _ in range(2)]

        if row is not outcomes.USER_NOT_FOUND:
            assert causes == [cause, cause if row.frees_name else "ResetRepeated"]
        assert not (row.frees_name and (row.of_account or row.may_have_acted))


def test_a_connection_that_was_never_made_frees_the_name_and_a_lost_answer_does_not(
    service: Service,
) -> None:
    service.cognito.answer("DescribeUserPoolClient", error="TooManyRequestsException", times=3)
    service.cognito.answer(RESET.action, reset=True)
    causes = [service.finish(RESET).log["cause"] for _ in range(3)]

    assert causes == [
        *("DescribeUserPoolClient.TooManyRequestsException", "ConnectionClosedError"),
        "ResetRepeated",
    ]


@pytest.mark.parametrize(
    ("action", "frees"), [("AdminGetUser", True), ("ListUsers", False), (RESET.action, False)]
)
def test_a_call_that_only_some_accounts_cause_never_frees_the_name(
    action: str, frees: bool, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    service.cognito.answer(action, error="ThrottlingException")
    service.finish(RESET)

    assert ("ResetRepeated" in service.finish(RESET).metrics) != frees


def test_a_message_that_has_lost_the_name_to_another_one_frees_nothing(
    dynamodb: DynamoDBClient, service: Service
) -> None:
    def respond(action: str, body: dict[str, Any]) -> dict[str, Any]:
        if action == "AdminGetUser":
            (item,) = dynamodb.scan(TableName=SETTINGS.table_name)["Items"]
            taken.update(item | {"message_id": {"S": "another"}})
            dynamodb.put_item(TableName=SETTINGS.table_name, Item=taken)
            raise Refusal("ThrottlingException", "")
        return {"UserPoolClient": body}

    taken: dict[str, Any] = {}
    service.cognito.respond = respond
    assert "ThrottlingException" in service.finish(RESET).metrics

    assert dynamodb.scan(TableName=SETTINGS.table_name)["Items"] == [taken]


@pytest.mark.parametrize("error", [None, "ThrottlingException"])
def test_if_the_table_fails_the_code_is_sent(error: str | None, service: Service) -> None:
    service.configure(code_pause=PAUSE, table_name="a-table-that-is-not-there")
    if error:
        service.cognito.answer("AdminGetUser", error=error)

    for _ in range(2):
        assert service.finish(RESET).metrics >= {error or "Success", "LimitsFailed"}
    assert len(sent(service.cognito, RESET)) == (0 if error else 2)


@pytest.mark.parametrize(("seconds", "tried"), [(15.0, 2), (4.0, 6)])
def test_what_a_hanging_trigger_costs_is_bounded(
    seconds: float, tried: int, service: Service
) -> None:
    service.cognito.respond = after(service.clock, seconds, "UnexpectedLambdaException")

    works = attempts(queued(service), service, *range(1, tried + 1))

    assert [len(work.body["batchItemFailures"]) for work in works[:-1]] == [1] * (tried - 1)
    given_up = works[-1].metrics == {"CodeTimedOut", "CodeDeliveryFailureException"}
    assert given_up == (tried == 2)
    assert bool(works[-1].body["batchItemFailures"]) != given_up


def test_a_code_is_not_given_up_for_a_slow_call_that_has_no_trigger(service: Service) -> None:
    def respond(action: str, _: object) -> dict[str, Any]:
        if action == "AdminGetUser":
            service.clock.sleep(6)
            raise Refusal("InternalErrorException", "", 500)
        return {}

    service.cognito.respond = respond

    works = attempts(queued(service), service, 1, 2)

    assert [len(work.body["batchItemFailures"]) for work in works] == [1, 1]


@pytest.mark.parametrize("reveal", [False, True])
def test_a_sub_is_refused_where_users_sign_in_by_an_address(reveal: bool, service: Service) -> None:
    service.configure(reveal_user_existence=reveal, sign_in_attributes=("email",))

    reply = service.invoke(RESET, {"username": SUB})

    assert reply.status == 400
    assert reply.rules == {("#/username", "signInName")}
    assert service.cognito.requests == []
