"""Idempotency keys: a client that lost the response may send its request again.

The table has one item for each key, which reveals nothing about the request. The item says until
when the request may be in progress, and what came of it: a success, or an unknown outcome. If the
table fails, the request is carried out without it.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.aws import clients
from functions.problems import OUTCOME_UNKNOWN, REQUEST_IN_PROGRESS, Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation
from functions.requests import Body, Request

LIFETIME: Final = 3600
"""Seconds for which an outcome is stored."""

_FREE: Final = (
    "attribute_not_exists(id) OR expiration < :now"
    " OR (attribute_not_exists(outcome) AND in_progress_until < :now)"
)
"""Nobody has sent the request, or not lately, or its function was killed."""


def run_once(request: Request, act: Callable[[], Body]) -> Body:
    """Act, unless the same user has sent the same request with the same key before.

    A definite failure is not stored. If the function is killed, the request stays in progress until
    the function's time-out, and can be repeated after that.
    """
    key = {"id": {"S": _key(request)}}
    earlier: Mapping[str, Any] | None = None
    with _best_effort(request):
        earlier = _begin(request, key)
    if earlier is not None:
        return _repeat(request, earlier)
    try:
        body = act()
    except Exception as error:
        with _best_effort(request):
            if isinstance(error, Failure) and error.problem is OUTCOME_UNKNOWN:
                _store(request, key, {"unknown": error.cause})
            else:
                clients.dynamodb().delete_item(TableName=request.settings.table_name, Key=key)
        raise
    with _best_effort(request):
        _store(request, key, {"body": body})
    return body


@contextmanager
def _best_effort(request: Request) -> Iterator[None]:
    try:
        yield
    except clients.ERRORS:
        request.record.degrade(Degradation.IDEMPOTENCY_FAILED)


def _begin(request: Request, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Put the item of a request in progress, or return the one that is there."""
    now = time.time()
    try:
        clients.dynamodb().put_item(
            TableName=request.settings.table_name,
            Item={
                **key,
                "expiration": {"N": f"{now + LIFETIME:.0f}"},
                "in_progress_until": {"N": f"{now + request.caller.seconds_left:.3f}"},
            },
            ConditionExpression=_FREE,
            ExpressionAttributeValues={":now": {"N": f"{now:.3f}"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if clients.name(error) != "ConditionalCheckFailedException":
            raise
        item: Mapping[str, Any] = error.response["Item"]  # type: ignore[typeddict-item]
        return item
    return None


def _repeat(request: Request, item: Mapping[str, Any]) -> Body:
    """Return, or raise, what came of the earlier request."""
    if "outcome" not in item:
        raise Failure(REQUEST_IN_PROGRESS)
    request.record.repeated = True
    outcome = json.loads(item["outcome"]["S"])
    if "unknown" in outcome:
        raise Failure(OUTCOME_UNKNOWN, cause=outcome["unknown"])
    body: Body = outcome["body"]
    return body


def _store(request: Request, key: Mapping[str, Any], outcome: Mapping[str, object]) -> None:
    clients.dynamodb().update_item(
        TableName=request.settings.table_name,
        Key=key,
        UpdateExpression="SET outcome = :outcome",
        ExpressionAttributeValues={":outcome": {"S": json.dumps(outcome)}},
    )


def _key(request: Request) -> str:
    body = json.dumps(request.values, sort_keys=True)
    parts = (request.operation.id, request.user, request.caller.idempotency_key, body)
    return f"idempotency#{keyed_hash(request.settings.pseudonym_key, 'idempotency', *parts)}"
