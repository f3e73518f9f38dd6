"""The queue of tasks that the worker carries out after the response."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from functions import times
from functions.aws.actions import ACTIONS
from functions.aws.calls import call
from functions.messages import Message, Task
from functions.problems import Failure
from functions.records import Degradation, Record
from functions.requests import Caller
from functions.settings import Runtime

type Work = tuple[Task, Mapping[str, Any]]
"""A task and its parameters, among them the `delay` in seconds, if it has one."""


class Queue:
    """The queue, as one request or message uses it."""

    def __init__(self, settings: Runtime, record: Record, caller: Caller) -> None:
        self._settings = settings
        self._record = record
        self._caller = caller

    def send(self, task: Task, /, delay: int = 0, **parameters: object) -> None:
        """Queue a task for in `delay` seconds, or raise a `Failure` that says when to try again."""
        entry = self._compose(task, delay, **parameters)
        call("SendMessage", QueueUrl=self._settings.queue_url, **entry)

    def follow_up(self, *works: Work) -> Sequence[Work]:
        """Queue what must follow a change, and return what the queue did not take.

        That degrades the request but does not fail it. The queue may take some messages of a batch
        and not the others, which are sent again.
        """
        entries = {str(n): self._compose(task, **given) for n, (task, given) in enumerate(works)}
        action = "SendMessageBatch"
        with suppress(Failure):
            for _ in range(ACTIONS[action].client.attempts):
                if not entries:
                    break
                batch = [{"Id": id_, **entry} for id_, entry in entries.items()]
                answer = call(action, QueueUrl=self._settings.queue_url, Entries=batch)
                entries = {one["Id"]: entries[one["Id"]] for one in answer.get("Failed", ())}
        if entries:
            self._record.degrade(Degradation.QUEUE_FAILED)
        return [works[int(id_)] for id_ in entries]

    def _compose(self, task: Task, /, delay: int = 0, **parameters: object) -> dict[str, Any]:
        caller, now = self._caller, round(times.now(), 3)
        origin = caller.request_id, caller.source_ip, self._record.user
        message = Message(task, *origin, parameters, now, caller.language)
        return {"MessageBody": json.dumps(message._asdict()), "DelaySeconds": delay}


def postpone(url: str, receipt_handle: str, seconds: int) -> None:
    """Set when a failed message is delivered again, or leave it to the queue's default."""
    with suppress(Failure):
        message = {"QueueUrl": url, "ReceiptHandle": receipt_handle}
        call("ChangeMessageVisibility", **message, VisibilityTimeout=seconds)
