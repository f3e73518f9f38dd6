"""Limits that treat known and unknown users alike, because they count before Cognito is called.

The table holds keyed hashes instead of names and addresses. Windows are fixed, so up to twice a
limit can pass around the boundary of two windows; each key's windows begin at another time.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv6Network, ip_address
from typing import Final, NamedTuple

from botocore.exceptions import ClientError

from functions import times
from functions.aws import clients, notifications
from functions.problems import (
    ATTEMPTS_EXCEEDED,
    NETWORK_ATTEMPTS_EXCEEDED,
    SERVICE_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    Failure,
    Problem,
)
from functions.protection.pseudonyms import keyed_hash
from functions.records import Cause, Degradation
from functions.requests import Request
from functions.settings import Settings

WINDOW: Final = 3600
"""Seconds."""
REFUSALS_BEFORE_EVENT: Final = 10
"""Refused attempts of one user in a window that cause an event."""


class _Limit(NamedTuple):
    """The attempts allowed in a window, and the problem of the next one."""

    parts: Sequence[str]
    most: float
    problem: Problem


@contextmanager
def attempt(request: Request) -> Iterator[None]:
    """Count one attempt, or raise a `Failure` that says when the next one is allowed.

    Signed-in users are counted per user; everyone else per user and IP address, so that nobody can
    lock a user out from another address. Every attempt is counted before it is carried out, because
    of many at once no more than the limit may pass. What turns out to be no attempt is given back:
    a request that could not be carried out, and for an address a password that was changed.
    """
    counted = _count(request)
    try:
        yield
    except Failure as failure:
        if failure.problem in (SERVICE_UNAVAILABLE, TOO_MANY_REQUESTS):
            _give_back(request, counted)
        raise
    if request.operation.changes_password:
        _give_back(request, counted[1:])


def _count(request: Request) -> list[str]:
    """Count for the user, then for the address and its network; return what was counted."""
    counted: list[str] = []
    for parts, most, problem in _limits(request):
        item, seconds = _window(request, *parts)
        attempts = _add(request, item, most)
        if attempts is None:
            # The next count would fail as slowly.
            return []
        if not attempts:
            if problem is ATTEMPTS_EXCEEDED:
                _count_refusal(request)
            raise Failure(problem._replace(retry_after=seconds), cause=Cause.ATTEMPTS_LIMIT)
        counted.append(item)
    return counted


def _give_back(request: Request, counted: Sequence[str]) -> None:
    for item in counted:
        if _update(request, item, "attempts > :bound", amount=-1, bound=0) is None:
            return


def _limits(request: Request) -> Iterator[_Limit]:
    settings, operation, user = request.settings, request.operation, request.user
    if not settings.limits:
        return
    most = settings.attempts_per_hour(operation)
    if operation.signed_in:
        yield _Limit((operation.id, user), most, ATTEMPTS_EXCEEDED)
        return
    address, *wider = _networks(settings, request.caller.source_ip)
    yield _Limit((operation.id, user, address), most, ATTEMPTS_EXCEEDED)
    exceeded = NETWORK_ATTEMPTS_EXCEEDED
    yield _Limit((operation.id, address), settings.attempts_per_address, exceeded)
    for network in wider:
        yield _Limit((operation.id, network), settings.attempts_per_network, exceeded)


def _networks(settings: Settings, address: str) -> list[str]:
    """Return what counts as the caller's address, and the network around it if it is IPv6."""
    try:
        ip = ip_address(address)
    except ValueError:
        return [address]  # API Gateway's console sends no address at all.
    if ip.version == 4:  # noqa: PLR2004 - IP's own number
        return [address]
    prefixes = settings.ipv6_address_prefix, settings.ipv6_network_prefix
    return [str(IPv6Network((int(ip), int(prefix)), strict=False)) for prefix in prefixes]


def _count_refusal(request: Request) -> None:
    """Count a refused attempt of a user at any address, and put one event when there are many."""
    item, _ = _window(request, "refusals", request.operation.id, request.user)
    if _add(request, item, REFUSALS_BEFORE_EVENT) == REFUSALS_BEFORE_EVENT:
        caller, name = request.caller, request.values.get("username", "")
        user = {"sub": caller.sub} if request.operation.signed_in else {"username": name}
        notifications.announce(request, "Attempts Exceeded Repeatedly", **user)


def _window(request: Request, *parts: str) -> tuple[str, int]:
    """Return the item of the current window, and the seconds until it ends."""
    key = keyed_hash(request.settings.pseudonym_key, "limits", *parts)
    now = times.current().clock.time()
    window, elapsed = divmod(now + int(key[:8], 16) % WINDOW, WINDOW)
    return f"limit#{key}#{window:.0f}", math.ceil(WINDOW - elapsed)


def _add(request: Request, item: str, most: float) -> int | None:
    """Add one. Return the new count, 0 if `most` was reached, or None if the table failed."""
    condition = "attribute_not_exists(attempts) OR attempts < :bound"
    return _update(request, item, condition, amount=1, bound=most)


def _update(
    request: Request, item: str, condition: str, *, amount: int, bound: float
) -> int | None:
    try:
        response = clients.dynamodb().update_item(
            TableName=request.settings.table_name,
            Key={"id": {"S": item}},
            UpdateExpression="ADD attempts :amount SET expiration = :expiration",
            ConditionExpression=condition,
            ExpressionAttributeValues={
                ":amount": {"N": str(amount)},
                ":bound": {"N": f"{bound:.0f}"},
                ":expiration": {"N": f"{times.current().clock.time() + WINDOW:.0f}"},
            },
            ReturnValues="UPDATED_NEW",
        )
    except clients.ERRORS as error:
        if isinstance(error, ClientError) and (
            error.response["Error"]["Code"] == "ConditionalCheckFailedException"
        ):
            return 0
        request.record.degrade(Degradation.LIMITS_FAILED)
        return None
    return int(response["Attributes"]["attempts"]["N"])
