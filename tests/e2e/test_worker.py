"""The worker: killed, given a message twice, and failing until a message is a dead letter."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from functions.messages import Task
from functions.operations import WORKER, WORKER_ATTEMPTS
from functions.records import SUCCESS
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, Client, kill
from tests.e2e.conftest import NEW, Api, Fronts, acted, end_pauses, release
from tests.support import PATIENCE, wait_until


@contextmanager
def soon_visible(stack: Stack) -> Iterator[Callable[[], object]]:
    """Let what is received in the block come again in a second, until the block stops it.

    While each of the two workers holds it, it does not come, and so it is no dead letter.
    """
    sqs, functions, name = stack.client("sqs"), stack.client("lambda"), "VisibilityTimeout"
    update = partial(functions.update_event_source_mapping, UUID=stack.mapping["UUID"])
    kept = sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=[name])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=stack.queue, Attributes={name: "1"})
    try:
        yield partial(update, Enabled=False)
    finally:
        sqs.set_queue_attributes(QueueUrl=stack.queue, Attributes=kept)
        update(Enabled=True)


@pytest.mark.parametrize("forward", [False, True], ids=["before Cognito acts", "after it acted"])
def test_a_worker_that_is_killed_loses_no_code(
    api: Api, stack: Stack, user: User, fronts: Fronts, forward: bool
) -> None:
    client = Client(api, stack, user, RESET)
    fronts.cognito.answer(RESET.action, forward=forward, delay=PATIENCE, reset=True)

    with soon_visible(stack) as stop:
        assert client.send().status == 200
        wait_until(lambda: RESET.action in acted(fronts.cognito))
        wait_until(lambda: client.codes >= forward)
        stop()
        kill(stack, WORKER)
        codes = client.codes
        fronts.reset()

    assert bool(codes) is forward
    wait_until(lambda: client.codes > codes)
    assert client.worked(Task.SEND_CODE, outcome=SUCCESS).log["attempt"] > 1


@pytest.fixture
def device(stack: Stack, fronts: Fronts) -> Iterator[str]:
    """A device of each user that the pool remembers. The emulator knows none."""
    pool = stack.client("cognito-idp").describe_user_pool(UserPoolId=stack.user_pool_id)["UserPool"]
    remembering = {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": False}
    described = {"Policies": pool["Policies"], "DeviceConfiguration": remembering}
    key = "us-east-1_6c0b5b3a"
    fronts.cognito.answer("DescribeUserPool", body={"UserPool": described})
    fronts.cognito.answer("AdminListDevices", body={"Devices": [{"DeviceKey": key}]})
    fronts.cognito.answer("AdminForgetDevice", body={})
    kill(stack, CONFIRM.id)  # which has read the pool
    yield key
    kill(stack, CONFIRM.id)


def test_a_message_that_comes_twice_does_no_harm(
    api: Api, stack: Stack, user: User, fronts: Fronts, device: str
) -> None:
    reset = Client(api, stack, user, RESET)
    reset.send()
    client = Client(api, stack, user, CONFIRM)
    fronts.cognito.answer("AdminUserGlobalSignOut", reset=True, times=3)
    assert client.send().status == 204
    messages = [message["MessageBody"] for message in fronts.queue.take_messages()]
    # The pool tracks no sessions, and the outcome is known.
    others = {Task.CHECK_CHANGE, Task.END_OTHER_SESSIONS}
    tasks = [task for task in Task if task not in others]
    assert {json.loads(message)["task"] for message in messages} == set(tasks)
    assert stack.settle()
    end_pauses(stack)  # with its old ID, the second message would need none

    for message in messages:
        stack.client("sqs").send_message(QueueUrl=stack.queue, MessageBody=message)

    assert stack.settle()
    for one, task in ((reset, Task.SEND_CODE), *((client, task) for task in tasks[1:])):
        for number in (1, 2):
            assert one.worked(task, number, outcome=SUCCESS).metrics == {SUCCESS}
    assert (client.passwords, client.session_lives) == ({NEW}, False)
    assert client.notices == 1
    forgotten = [one.body["DeviceKey"] for one in fronts.cognito.take("AdminForgetDevice")]
    assert forgotten == [device] * 2
    told = [request.body["Entries"][0]["Detail"] for request in fronts.events.requests]
    mine = [one for one in told if user.username in one]
    # A consumer recognises the second one.
    assert len(mine) > len(set(mine)) == 1


def test_what_fails_six_times_is_a_dead_letter_that_can_be_sent_again(
    api: Api, stack: Stack, user: User, fronts: Fronts
) -> None:
    client, sqs = Client(api, stack, user, RESET), stack.client("sqs")
    fronts.cognito.answer(RESET.action, error="CodeDeliveryFailureException")
    source = {"QueueUrl": stack.queue, "AttributeNames": ["RedrivePolicy"]}
    policy = json.loads(sqs.get_queue_attributes(**source)["Attributes"]["RedrivePolicy"])
    arn = policy["deadLetterTargetArn"]
    dead = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    sqs.purge_queue(QueueUrl=dead)

    def is_dead() -> bool:
        name = "ApproximateNumberOfMessages"
        counted = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[name])["Attributes"]
        return int(counted[name]) == 1

    assert client.send().status == 200
    release(stack, fronts, until=is_dead)

    numbers = range(1, WORKER_ATTEMPTS + 1)
    attempts = [client.worked(Task.SEND_CODE, attempt=number).log for number in numbers]
    assert [log.get("retry_after") for log in attempts] == [3, 9, 27, 81, 243, None]
    assert {log["cause"] for log in attempts} == {"CodeDeliveryFailureException"}
    assert client.codes == 0

    fronts.cognito.reset()
    end_pauses(stack)
    # As StartMessageMoveTask does, which the emulator does not know.
    (letter,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    sqs.send_message(QueueUrl=stack.queue, MessageBody=letter["Body"])
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    wait_until(lambda: client.codes == 1)
