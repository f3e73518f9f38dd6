"""Limits that treat known and unknown users alike, because they count before Cognito is called.

The table holds keyed hashes instead of names and addresses. Windows are fixed, so up to twice a
limit can pass around the boundary of two windows; each key's windows begin at another time.
"""

import math
import time
from ipaddress import IPv6Network, ip_address
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws import clients
from functions.problems import ATTEMPTS_EXCEEDED, Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Cause, Degradation
from functions.requests import Request

WINDOW: Final = 3600
"""Seconds."""
ATTEMPTS_PER_ADDRESS: Final = 50
"""Per window, for all users together; `Operation` has the limits for one user."""


def count(request: Request) -> None:
    """Count one attempt, or raise a `Failure` that says when the next one is allowed.

    Signed-in users are counted per user; everyone else per user and IP address, so that nobody can
    lock a user out from another address.
    """
    if not request.settings.limits:
        return
    operation, network = request.operation, _network(request.caller.source_ip)
    counts: dict[tuple[str, ...], int]
    if operation.signed_in:
        counts = {(operation.id, request.user): operation.attempts_per_hour}
    else:
        counts = {
            (operation.id, request.user, network): operation.attempts_per_hour,
            (operation.id, network): ATTEMPTS_PER_ADDRESS,
        }
    for parts, limit in counts.items():
        _count(request, keyed_hash(request.settings.pseudonym_key, "limits", *parts), limit)


def _count(request: Request, key: str, limit: int) -> None:
    offset = int(key[:8], 16) % WINDOW
    window, elapsed = divmod(time.time() + offset, WINDOW)
    try:
        clients.dynamodb().update_item(
            TableName=request.settings.table_name,
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
            request.record.degrade(Degradation.LIMITS_FAILED)
            return
    else:
        return
    seconds = math.ceil(WINDOW - elapsed)
    raise Failure(ATTEMPTS_EXCEEDED._replace(retry_after=seconds), cause=Cause.ATTEMPTS_LIMIT)


def _network(address: str) -> str:
    """Return an IPv6 user's whole /64; API Gateway's console sends no address at all."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    return str(ip) if ip.version == 4 else str(IPv6Network((int(ip), 64), strict=False))  # noqa: PLR2004
