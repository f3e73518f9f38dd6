"""`python -m verification.support`: what it sends, where it goes on, and what it says otherwise."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from functions.operations import SupportTask
from tests.support import ROOT
from tests.support.front import CognitoFront
from tests.unit.conftest import Service
from verification.support import find_queue, start, start_list

QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/the-support-queue"
NAMES = [f"ada{n}@example.com" for n in range(25)]


@pytest.fixture
def sqs(cognito: CognitoFront) -> Any:
    return boto3.client("sqs", region_name="us-east-1", endpoint_url=cognito.url)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text("\n".join(["", *NAMES, f" {NAMES[0]} "]))
    return file


def batches(cognito: CognitoFront) -> list[dict[str, str]]:
    """The bodies that SQS got in batches."""
    taken = cognito.take("SendMessageBatch")
    return [json.loads(e["MessageBody"]) for one in taken for e in one.body["Entries"]]


@pytest.mark.parametrize("task", SupportTask)
def test_what_it_sends_is_what_the_worker_takes(task: str, service: Service, sqs: Any) -> None:
    start(sqs, QUEUE, task, "Ada O'Neil@example.com")

    (request,) = service.cognito.take("SendMessage")
    body = json.loads(request.body["MessageBody"])
    assert request.body["QueueUrl"] == QUEUE
    assert body.keys() == {"task", "username", "request_id"}
    assert (body["task"], body["username"]) == (task, "Ada O'Neil@example.com")


def test_a_list_is_sent_once_and_each_name_has_its_line(
    names: Path, cognito: CognitoFront, sqs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    start_list(sqs, QUEUE, "require_reset", names)
    sent = batches(cognito)
    assert [one["username"] for one in sent] == NAMES
    ids = [one["request_id"].split("/") for one in sent]
    assert [int(line) for _, line in ids] == [*range(2, 27)]
    assert len({run for run, _ in ids}) == 1
    assert "25 users" in capsys.readouterr().out

    start_list(sqs, QUEUE, "require_reset", names)
    assert batches(cognito) == []


@pytest.mark.parametrize("refusal", ["of the request", "of one message"])
def test_a_list_goes_on_where_it_stopped_and_no_name_is_left_out(
    refusal: str, names: Path, cognito: CognitoFront, sqs: Any
) -> None:
    entry = {"Id": "12", "Code": "InternalError", "SenderFault": False}
    cognito.answer("SendMessageBatch", body={"Successful": []}, times=1)
    if refusal == "of one message":
        cognito.answer("SendMessageBatch", body={"Failed": [entry]}, times=1)
    else:
        cognito.answer("SendMessageBatch", error="ExpiredToken", times=1)
    with pytest.raises((SystemExit, sqs.exceptions.ClientError)):
        start_list(sqs, QUEUE, "send_code", names)
    first = batches(cognito)

    start_list(sqs, QUEUE, "send_code", names)

    again = batches(cognito)
    assert [one["username"] for one in first] == NAMES[:20]
    assert [one["username"] for one in again] == NAMES[10:]
    assert {one["request_id"] for one in first[10:]} < {one["request_id"] for one in again}


@pytest.mark.parametrize(
    ("queue", "task", "more"),
    [("another", "send_code", ""), (QUEUE, "require_reset", ""), (QUEUE, "send_code", "\neve")],
)
def test_a_list_that_was_begun_is_not_mixed_up_with_another_one(
    queue: str, task: str, more: str, names: Path, cognito: CognitoFront, sqs: Any
) -> None:
    start_list(sqs, QUEUE, "send_code", names)
    batches(cognito)
    names.write_text(names.read_text() + more)

    with pytest.raises(SystemExit, match=r"names.txt.sent is about another"):
        start_list(sqs, queue, task, names)

    assert batches(cognito) == []


def stacks(*logical: str) -> Callable[[str], Any]:
    """A client of an account whose stack has these queues."""
    client = boto3.client("cloudformation", region_name="us-east-1")
    stub = Stubber(client)
    queues = [
        {"LogicalResourceId": one, "PhysicalResourceId": f"url-of-{one}", "ResourceType": kind}
        | {"LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE"}
        for one in logical
        for kind in ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy")
    ]
    stub.add_response("list_stack_resources", {"StackResourceSummaries": queues})
    stub.activate()
    return lambda _: client


MAIN, OTHER = "MainPasswordsFunctionsQueueSupport0A1B2C3D", "FunctionsQueueSupport0A1B2C3E"
DEAD = "MainPasswordsFunctionsQueueDeadLetters2A0CE9F8"


@pytest.mark.parametrize(
    ("queues", "construct", "found"),
    [
        ([DEAD, MAIN], "", MAIN),
        ([DEAD, OTHER], "", OTHER),
        ([OTHER, MAIN], "Shop/Main/Passwords", MAIN),
        ([OTHER, MAIN], "MainPasswords", MAIN),
    ],
)
def test_the_queue_is_found_in_any_stack(queues: list[str], construct: str, found: str) -> None:
    assert find_queue(stacks(*queues), "Shop", construct) == f"url-of-{found}"


@pytest.mark.parametrize(
    ("queues", "construct", "says"),
    [
        ([DEAD], "", "Shop has no support desk there"),
        ([MAIN], "Shop/Others", "Shop has no support desk there"),
        ([MAIN, MAIN.replace("Main", "My")], "", "CONSTRUCT=MainPasswords or CONSTRUCT=MyPass"),
    ],
)
def test_a_stack_without_one_queue_is_told_what_to_do(
    queues: list[str], construct: str, says: str
) -> None:
    with pytest.raises(SystemExit, match=says):
        find_queue(stacks(*queues), "Shop", construct)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("nonsense --username=a --stage=dev", "clear_limits"),
        ("send_code --stage=dev", "USERNAME="),
        ("send_code --username=a --list=b --stage=dev", "USERNAME="),
        ("send_code --username=a", "STAGE="),
        ("send_code --username=a --stage=dev --stack=Shop", "STAGE="),
        ("send_code --username=a --stage=dev", "AWS_PROFILE"),
        ("send_code --username=a --stage=local --port=1", "make run"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(arguments: str, says: str, tmp_path: Path) -> None:
    """There are neither credentials nor a region."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "1",
    }

    done = subprocess.run(
        [sys.executable, "-m", "verification.support", *arguments.split()],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
