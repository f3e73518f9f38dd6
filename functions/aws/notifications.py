"""Events on an event bus of the service's own, for mails or audits.

A mere request causes no event: it would exist for unknown users too, or tell them apart. One about
refused attempts does exist for both, because the limits look nobody up.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from functions.aws import clients, queue
from functions.aws.queue import Task
from functions.problems import SERVICE_UNAVAILABLE, Failure
from functions.records import Degradation
from functions.requests import Request
from functions.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE: Final = "password-service"


def announce(request: Request, detail_type: str, **user: str) -> None:
    """Have the worker put an event; if the queue fails, put it here and now."""
    if not request.settings.event_bus_name:
        return
    event: dict[str, Any] = {"detail_type": detail_type, "detail": describe(request, user)}
    if not queue.follow_up(request, Task.PUT_EVENT, **event):
        put_now(request, **event)


def put_now(request: Request, detail_type: str, detail: Mapping[str, str]) -> None:
    """Put an event that the queue did not take; if that fails too, the event is lost."""
    try:
        put(request.settings, detail_type, detail)
    except Failure:
        request.record.degrade(Degradation.EVENT_LOST)


def put(settings: Settings, detail_type: str, detail: Mapping[str, str]) -> None:
    """Put one event if there is a bus, or raise a `Failure`."""
    if not settings.event_bus_name:
        return
    entry: PutEventsRequestEntryTypeDef = {
        "EventBusName": settings.event_bus_name,
        "Source": SOURCE,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
    }
    try:
        response = clients.eventbridge().put_events(Entries=[entry])
    except clients.ERRORS as error:
        raise Failure(SERVICE_UNAVAILABLE, cause=f"PutEvents.{clients.name(error)}") from None
    if response["FailedEntryCount"]:
        code = response["Entries"][0]["ErrorCode"]
        raise Failure(SERVICE_UNAVAILABLE, cause=f"PutEvents.{code}")


def describe(request: Request, user: Mapping[str, str]) -> dict[str, str]:
    """Return the detail of an event about a request."""
    caller = request.caller
    return {
        **user,
        "userPoolId": request.settings.user_pool_id,
        "requestId": caller.request_id,
        "sourceIp": caller.source_ip,
        "userAgent": caller.user_agent,
    }
