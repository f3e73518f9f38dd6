"""The messages for the worker, which SQS carries as JSON."""

import json
from enum import StrEnum
from typing import Any, NamedTuple, Self

from functions.operations import SupportTask


class Task(StrEnum):
    """The task that a message asks the worker to do."""

    SEND_CODE = "send_code"
    END_SESSIONS = "end_sessions"
    END_OTHER_SESSIONS = "end_other_sessions"
    FORGET_DEVICES = "forget_devices"
    CHECK_CHANGE = "check_change"
    PUT_EVENT = "put_event"
    MAIL_CHANGE = "mail_change"


class Message(NamedTuple):
    """The body of a message, in JSON."""

    task: Task | SupportTask
    request_id: str
    source_ip: str
    user: str | None
    """The user's reference in the log."""
    parameters: dict[str, Any]
    requested_at: float
    """Seconds since the epoch. A message that is redriven from the dead letters has a new
    `SentTimestamp`."""
    language: str = ""
    """The language of the request, if we have texts in it."""

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the message, or raise what its body makes Python raise.

        During a deployment, it can be that of a newer version with more members, or that of an
        older one without those that have a default.
        """
        members = json.loads(body)
        known = {name: members[name] for name in cls._fields if name in members}
        return cls(**known | {"task": Task(members["task"])})
