"""The queue of tasks that the worker carries out after the response."""

import json
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple, Self

from functions import times
from functions.aws import clients
from functions.problems import SERVICE_UNAVAILABLE, Failure
from functions.records import Degradation
from functions.requests import Request
from functions.settings import Settings
from functions.telemetry.traces import tracer


class Task(StrEnum):
    """The task that a message asks the worker to do."""

    SEND_CODE = "send_code"
    END_SESSIONS = "end_sessions"
    CHECK_CHANGE = "check_change"
    PUT_EVENT = "put_event"
    MAIL_CHANGE = "mail_change"


class Message(NamedTuple):
    """The body of a message, in JSON."""

    task: Task
    request_id: str
    source_ip: str
    user: str | None
    """The user's reference in the log."""
    parameters: dict[str, Any]
    requested_at: float
    """Seconds since the epoch. A message that is redriven from the dead letters has a new
    `SentTimestamp`."""

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the message, or raise what its body makes Python raise.

        During a deployment, it can be that of a newer version with more members.
        """
        members = json.loads(body)
        known = {name: members[name] for name in cls._fields}
        return cls(**known | {"task": Task(members["task"])})


def send(request: Request, task: Task, /, **parameters: object) -> None:
    """Queue a task, or raise a `Failure` that tells the caller when to try again."""
    caller, user = request.caller, request.record.user
    now = round(times.current().clock.time(), 3)
    message = Message(task, caller.request_id, caller.source_ip, user, parameters, now)
    with tracer().provider.in_subsegment(name="SendMessage") as subsegment:
        try:
            clients.sqs().send_message(
                QueueUrl=request.settings.queue_url, MessageBody=json.dumps(message._asdict())
            )
        except clients.ERRORS as error:
            failure = Failure(SERVICE_UNAVAILABLE, cause=f"SendMessage.{clients.name(error)}")
            subsegment.put_annotation("cause", failure.cause)
        else:
            return
    # Outside the subsegment and the exception's handler, as in `cognito.call`.
    raise failure


def follow_up(request: Request, task: Task, /, **parameters: object) -> bool:
    """Queue what must follow a change; a failure degrades the request but does not fail it."""
    try:
        send(request, task, **parameters)
    except Failure:
        request.record.degrade(Degradation.QUEUE_FAILED)
        return False
    return True


def postpone(settings: Settings, receipt_handle: str, seconds: int) -> None:
    """Set when a failed message is delivered again. If that fails, the queue's default applies."""
    with suppress(*clients.ERRORS):
        clients.sqs().change_message_visibility(
            QueueUrl=settings.queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )
