"""Tells others that a password was changed: an event on a bus of its own, for a mail or an audit.

There is no event for a mere request: it would exist for unknown users too, or tell them apart.
"""

import json
from functools import cache
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.clients import make_client
from functions.fields import Request
from functions.metrics import Incident
from functions.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "password-service"
TIMEOUT: Final = 0.5
"""Seconds to connect, and again to wait."""


@cache
def client() -> "EventBridgeClient":
    """Made when the first event is put."""
    made: EventBridgeClient = make_client("events", connect_timeout=TIMEOUT, read_timeout=TIMEOUT)
    return made


def put(request: Request, detail_type: str, **user: str) -> None:
    """Put one event; if that fails, the answer stands, and it is an incident."""
    if not settings().event_bus_name:
        return
    detail = user | {
        "userPoolId": settings().user_pool_id,
        "requestId": request.caller.request_id,
        "sourceIp": request.caller.source_ip,
        "userAgent": request.caller.user_agent,
    }
    try:
        answer = client().put_events(
            Entries=[
                {
                    "EventBusName": settings().event_bus_name,
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                }
            ]
        )
    except (BotoCoreError, ClientError):
        request.incidents.append(Incident.EVENT_FAILED)
        return
    if answer["FailedEntryCount"]:
        request.incidents.append(Incident.EVENT_FAILED)
