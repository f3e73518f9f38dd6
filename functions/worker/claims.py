"""What must be done once, although a message may come twice."""

import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.aws import clients
from functions.problems import REQUEST_IN_PROGRESS, Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Cause, Degradation, Record
from functions.settings import Settings

_WORK: Final = 30
"""Seconds after which a worker that has not finished was killed."""


def once(
    settings: Settings, record: Record, parts: tuple[str, ...], seconds: int, act: Callable[[], Any]
) -> None:
    """Act, unless that was done for the same `parts` within so many seconds.

    What fails is not remembered. If the table fails, it may be done twice.
    """
    item = {"id": {"S": f"task#{keyed_hash(settings.pseudonym_key, 'task', *parts)}"}}
    try:
        if not _claim(settings, item):
            return
    except clients.ERRORS:
        record.degrade(Degradation.IDEMPOTENCY_FAILED)
        act()
        return
    try:
        act()
    except Exception:
        _store(record, clients.dynamodb().delete_item, TableName=settings.table_name, Key=item)
        raise
    done = item | {"done": {"BOOL": True}, "expiration": _in(seconds)}
    _store(record, clients.dynamodb().put_item, TableName=settings.table_name, Item=done)


def _claim(settings: Settings, item: dict[str, Any]) -> bool:
    """Return whether nobody has done it; raise a `Failure` while somebody else is at it."""
    try:
        clients.dynamodb().put_item(
            TableName=settings.table_name,
            Item=item | {"expiration": _in(_WORK)},
            ConditionExpression="attribute_not_exists(id) OR expiration < :now",
            ExpressionAttributeValues={":now": _in(0)},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if clients.name(error) != "ConditionalCheckFailedException":
            raise
        found: Any = error.response.get("Item", {})
        if "done" in found:
            return False
    else:
        return True
    raise Failure(REQUEST_IN_PROGRESS, cause=Cause.TASK_IN_PROGRESS)


def _store(record: Record, call: Callable[..., Any], **parameters: Any) -> None:  # noqa: ANN401 - as botocore has it
    try:
        call(**parameters)
    except clients.ERRORS:
        record.degrade(Degradation.IDEMPOTENCY_FAILED)


def _in(seconds: int) -> dict[str, str]:
    return {"N": f"{time.time() + seconds:.0f}"}
