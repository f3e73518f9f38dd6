"""Events on an event bus of the service's own, for mails or audits.

A mere request causes no event: it would exist for unknown users too, or tell them apart. One about
refused attempts does exist for both, because the limits look nobody up.
"""

import json
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws import clients
from functions.records import Degradation
from functions.requests import Request

SOURCE: Final = "password-service"


def put(request: Request, detail_type: str, **user: str) -> None:
    """Put one event; a failure degrades the request but does not fail it."""
    settings, caller = request.settings, request.caller
    if not settings.event_bus_name:
        return
    detail = user | {
        "userPoolId": settings.user_pool_id,
        "requestId": caller.request_id,
        "sourceIp": caller.source_ip,
        "userAgent": caller.user_agent,
    }
    try:
        response = clients.eventbridge().put_events(
            Entries=[
                {
                    "EventBusName": settings.event_bus_name,
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                }
            ]
        )
    except (BotoCoreError, ClientError):
        request.record.degrade(Degradation.EVENT_FAILED)
        return
    if response["FailedEntryCount"]:
        request.record.degrade(Degradation.EVENT_FAILED)
