"""`python -m verification.support`, which is what `make support` calls."""

import hashlib
import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from itertools import batched
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from functions.operations import SupportTask
from verification import stages

HELP: Final = "docs/operations.md#support-desk"
BATCH: Final = 10
"""The most messages that SQS takes at once."""
_QUEUE: Final = re.compile(r"(.*)FunctionsQueueSupport[0-9A-F]{8}")
"""The logical ID of the queue, which begins with that of the construct."""


def main() -> None:
    """Have a deployment clear a user's limits, send a code, or require a reset."""
    parser = ArgumentParser(prog="python -m verification.support", description=main.__doc__)
    parser.add_argument("task", choices=[str(one) for one in SupportTask])
    parser.add_argument("--username", default="", help="the name that the user signs in with")
    parser.add_argument("--list", default="", help="a file with such a name in each line")
    parser.add_argument("--stage", default="", help="a stage of this repository, or local")
    parser.add_argument("--stack", default="", help="the stack that you put the construct into")
    parser.add_argument("--construct", default="", help="its path, if the stack has several")
    parser.add_argument("--port", type=int, default=4566, help="of the local stack; 4566")
    given = parser.parse_args()
    if bool(given.username) == bool(given.list):
        parser.error("Say for whom: USERNAME=… for one user, or LIST=… for a file of names.")
    if bool(given.stage) == bool(given.stack):
        parser.error("Say where: STAGE=… for a stage of this repository, or STACK=… for yours.")
    stack = given.stack or f"password-service-{given.stage}"
    local = stages.find_local(given.port) if given.stage == "local" else None
    client = local.client if local else stages.client
    try:
        queue = find_queue(client, stack, given.construct)
        if given.list:
            start_list(client("sqs"), queue, given.task, Path(given.list))
        else:
            start(client("sqs"), queue, given.task, given.username)
    except (BotoCoreError, ClientError) as error:
        sys.exit(
            f"{stack} cannot be read: {error}. Check AWS_PROFILE, AWS_REGION and its name: {HELP}."
        )
    except KeyboardInterrupt:
        sys.exit(130)


def find_queue(client: Callable[[str], Any], stack: str, construct: str) -> str:
    """Return the URL of the support desk's queue, or exit if there is not one."""
    pages = client("cloudformation").get_paginator("list_stack_resources")
    queues: dict[str, str] = {
        match[1]: one["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::SQS::Queue"
        and (match := _QUEUE.fullmatch(one["LogicalResourceId"]))
    }
    if construct:
        # The first part of a path is the stack, which no logical ID has.
        name = re.sub("[^A-Za-z0-9]", "", construct.partition("/")[2] or construct)
        queues = {one: url for one, url in queues.items() if one == name}
    if not queues:
        sys.exit(f"{stack} has no support desk there. Deploy this version, or check CONSTRUCT.")
    if len(queues) > 1:
        choice = " or ".join(f"CONSTRUCT={one}" for one in queues)
        sys.exit(f"{stack} has several services: choose one with {choice}.")
    return next(iter(queues.values()))


def start(sqs: Any, queue: str, task: str, username: str) -> None:  # noqa: ANN401 - as boto3 has it
    """Queue a task for one user."""
    id_ = str(uuid4())
    sqs.send_message(QueueUrl=queue, MessageBody=_write(task, username, id_))
    print(f"Queued {task} for {username}, as request {id_}.")
    print(f"The saved query `support` shows what came of it: {HELP}")


def start_list(sqs: Any, queue: str, task: str, file: Path) -> None:  # noqa: ANN401 - as boto3 has it
    """Queue a task for each name in a file, and go on where an earlier run has stopped."""
    try:
        text = file.read_text("utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"The list {file} cannot be read: {error}")
    names: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if name := line.strip():
            names.setdefault(name, number)
    note = file.with_name(f"{file.name}.sent")
    wanted = {"queue": queue, "task": task, "list": hashlib.sha256(text.encode()).hexdigest()}
    done: dict[str, Any] = (
        json.loads(note.read_text()) if note.exists() else {**wanted, "id": str(uuid4()), "sent": 0}
    )
    if wanted.items() - done.items():
        sys.exit(f"{note} is about another task, stage or list: delete it to begin this one.")
    for batch in batched(list(names.items())[done["sent"] :], BATCH):
        entries = [
            {"Id": str(number), "MessageBody": _write(task, name, f"{done['id']}/{number}")}
            for name, number in batch
        ]
        failed = sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")
        if failed:
            sys.exit(f"SQS answered {failed[0]['Code']}. Run the same command again to go on.")
        done["sent"] += len(batch)
        _save(note, done)
    print(f"Queued {task} for {len(names)} users of {file}, as requests {done['id']}/<line>.")
    print(f"Delete {note} before you send the list again. What came of it: {HELP}")


def _write(task: str, username: str, id_: str) -> str:
    return json.dumps({"task": task, "username": username, "request_id": id_})


def _save(note: Path, done: Mapping[str, object]) -> None:
    """Replace the note at once, so that a run that is killed leaves the old one."""
    draft = note.with_name(f"{note.name}.new")
    draft.write_text(json.dumps(done))
    draft.replace(note)


if __name__ == "__main__":
    main()
