"""Limits that hit known and unknown users alike, since they are counted before Cognito is asked.

The table holds neither names nor addresses, only keyed hashes of them. Windows are fixed, so up to
twice a limit can pass across the edge of two; each key's windows begin at another time.
"""

import math
import time
from ipaddress import IPv6Network, ip_address
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from functions import cognito, table
from functions.fields import Request
from functions.metrics import ATTEMPTS_LIMIT, Incident
from functions.operations import Operation
from functions.problems import LIMIT_EXCEEDED, Failure
from functions.settings import settings

WINDOW: Final = 3600
"""Seconds."""
ATTEMPTS_PER_ADDRESS: Final = 50
"""In a window, for all user names together; `Operation` has the limits for one."""


def count(operation: Operation, request: Request) -> None:
    """Count one attempt, or raise a `Failure` that knows when the next one is allowed.

    A signed-in user has one count wherever he is, and anybody else one for each address, so that
    nobody locks a user out from another address. A table that fails is an incident, no answer.
    """
    if not settings().limits:
        return
    network = _network(request.caller.source_ip)
    counts: dict[tuple[str, ...], int]
    if operation.signed_in:
        counts = {(operation.id, request.user): operation.attempts_per_hour}
    else:
        counts = {
            (operation.id, request.user, network): operation.attempts_per_hour,
            (operation.id, network): ATTEMPTS_PER_ADDRESS,
        }
    for parts, limit in counts.items():
        _count(cognito.pseudonym("limits", *parts), limit, request.incidents)


def _count(key: str, limit: int, incidents: list[Incident]) -> None:
    offset = int(key[:8], 16) % WINDOW
    window, elapsed = divmod(time.time() + offset, WINDOW)
    try:
        table.client().update_item(
            TableName=settings().table_name,
            Key={"id": {"S": f"limit#{key}#{window:.0f}"}},
            UpdateExpression="ADD attempts :one SET expiration = :expiration",
            ConditionExpression="attribute_not_exists(attempts) OR attempts < :limit",
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":limit": {"N": str(limit)},
                ":expiration": {"N": f"{time.time() + WINDOW:.0f}"},
            },
        )
    except (BotoCoreError, ClientError) as error:
        refused = isinstance(error, ClientError) and (
            error.response["Error"]["Code"] == "ConditionalCheckFailedException"
        )
        if not refused:
            incidents.append(Incident.LIMITS_FAILED)
            return
    else:
        return
    seconds = math.ceil(WINDOW - elapsed)
    raise Failure(LIMIT_EXCEEDED._replace(retry_after=seconds), cause=ATTEMPTS_LIMIT)


def _network(address: str) -> str:
    """An IPv6 user has a whole /64; API Gateway's console sends no address at all."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(ip) if ip.version == 4 else str(IPv6Network((int(ip), 64), strict=False))  # noqa: PLR2004
