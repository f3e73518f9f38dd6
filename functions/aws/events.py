"""Events on an event bus of the service's own, for mails or audits.

A mere request causes no event: it would exist for unknown users too, or tell them apart. One about
refused attempts does exist for both, because the limits look nobody up.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NoReturn

from functions.aws.calls import call
from functions.aws.queue import Queue, Work
from functions.messages import Task
from functions.problems import SERVICE_UNAVAILABLE, Failure, Outcome
from functions.records import Degradation, Record
from functions.requests import Caller, Subject
from functions.settings import Runtime

SOURCE: Final = "password-service"


class EventType(StrEnum):
    """The detail types. `docs/reference/events` has the schema of each."""

    RESET_CONFIRMED = "Password Reset Confirmed"
    UPDATED = "Password Updated"
    ATTEMPTS_EXCEEDED = "Attempts Exceeded Repeatedly"
    ATTEMPTS_FAILED = "Attempts Failed Repeatedly"
    UNDELIVERABLE = "Password Reset Undeliverable"
    """A user gets neither a code nor another mail."""
    UNANNOUNCED = "Password Change Unannounced"
    """A user may not learn by mail of a change."""
    SUPPORT_FINISHED = "Support Task Finished"
    """A task of the support desk was carried out, or no retry can carry it out."""


class Events:
    """The event bus, as one request or message uses it. Without a bus, nothing happens."""

    def __init__(self, settings: Runtime, record: Record, caller: Caller, queue: Queue) -> None:
        self._settings = settings
        self._record = record
        self._caller = caller
        self._queue = queue

    def announce(self, detail_type: str, detail: Mapping[str, str]) -> None:
        """Have the worker put an event."""
        if self._settings.event_bus_name:
            self.follow_up((Task.PUT_EVENT, {"detail_type": detail_type, "detail": detail}))

    def follow_up(self, *works: Work) -> None:
        """Queue what must follow; put an event that the queue does not take here and now."""
        for task, given in self._queue.follow_up(*works):
            if task is Task.PUT_EVENT:
                try:
                    self.put(**given)
                except Failure:
                    self._record.degrade(Degradation.EVENT_LOST)

    def put(self, detail_type: str, detail: Mapping[str, str]) -> None:
        """Put one event, or raise a `Failure`."""
        if not self._settings.event_bus_name:
            return
        entry = {
            "EventBusName": self._settings.event_bus_name,
            "Source": SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        response = call("PutEvents", Entries=[entry])
        if response["FailedEntryCount"]:
            code = response["Entries"][0]["ErrorCode"]
            raise Outcome(f"PutEvents.{code}", SERVICE_UNAVAILABLE).failure()

    def report(
        self, type_: EventType, subject: Subject, reason: Outcome, note: str | None = None
    ) -> NoReturn:
        """Put an event, so that someone can help the user, and raise the `Failure`."""
        self.put(type_, self.describe(subject, reason=reason.cause))
        raise reason.failure(note)

    def describe(self, subject: Subject, **about: str) -> dict[str, str]:
        """Return the detail of an event: what it is about, and where the request came from."""
        caller = self._caller
        origin = {"requestId": caller.request_id}
        if caller.source_ip:  # which an operator's task does not have
            origin["sourceIp"] = caller.source_ip
        if caller.user_agent is not None:  # which a message does not have
            origin["userAgent"] = caller.user_agent
        return {**subject.members, **about, "userPoolId": self._settings.user_pool_id, **origin}
