"""What is done once although it is asked for twice: a request with a key, a task of the worker.

The table has one item for each, whose key reveals nothing about it. The item says until when it may
be in progress, and what came of it: a success, or an unknown outcome.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import ClientError

from functions import times
from functions.aws import clients
from functions.problems import OUTCOME_UNKNOWN, REQUEST_IN_PROGRESS, Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Body, Request
from functions.settings import Settings

LIFETIME: Final = 3600
"""Seconds for which an outcome is kept."""

_FREE: Final = (
    "attribute_not_exists(id) OR expiration < :now"
    " OR (attribute_not_exists(outcome) AND in_progress_until < :now)"
)
"""The condition of a new attempt: nothing is stored, it has expired, or its function was killed."""


def run_once(request: Request, act: Callable[[], Body]) -> Body:
    """Carry out a request once per user, content and key."""
    body = json.dumps(request.values, sort_keys=True)
    parts = (request.operation.id, request.user, request.caller.idempotency_key, body)
    return once(
        request.settings,
        request.record,
        act,
        purpose="idempotency",
        parts=parts,
        lifetime=LIFETIME,
        seconds_left=request.caller.seconds_left,
    )


def once(
    settings: Settings,
    record: Record,
    act: Callable[[], Body],
    *,
    purpose: str,
    parts: Sequence[str],
    lifetime: int,
    seconds_left: float,
) -> Body:
    """Act, unless that was done for the same `parts` within the `lifetime`, in seconds.

    A definite failure is not stored. If the function is killed, it stays in progress for the
    `seconds_left`, and can be repeated after that. If the table fails, it is done without.
    """
    item = _Item(settings, f"{purpose}#{keyed_hash(settings.pseudonym_key, purpose, *parts)}")
    earlier: Mapping[str, Any] | None = None
    with _best_effort(record):
        earlier = item.begin(lifetime, seconds_left)
    if earlier is not None:
        return _repeat(record, earlier)
    try:
        body = act()
    except Exception as error:
        with _best_effort(record):
            if isinstance(error, Failure) and error.problem is OUTCOME_UNKNOWN:
                item.end({"unknown": error.cause})
            else:
                item.delete()
        raise
    with _best_effort(record):
        item.end({"body": body})
    return body


@contextmanager
def _best_effort(record: Record) -> Iterator[None]:
    try:
        yield
    except clients.ERRORS:
        record.degrade(Degradation.IDEMPOTENCY_FAILED)


class _Item:
    """One item of the table."""

    def __init__(self, settings: Settings, id_: str) -> None:
        self._table = settings.table_name
        self._key = {"id": {"S": id_}}

    def begin(self, lifetime: int, seconds_left: float) -> Mapping[str, Any] | None:
        """Store it as in progress, or return the existing item."""
        now, attempt = times.current().clock.time(), os.urandom(8).hex()
        try:
            clients.dynamodb().put_item(
                TableName=self._table,
                Item={
                    **self._key,
                    "expiration": {"N": f"{now + lifetime:.0f}"},
                    "in_progress_until": {"N": f"{now + seconds_left:.3f}"},
                    "attempt": {"S": attempt},
                },
                ConditionExpression=_FREE,
                ExpressionAttributeValues={":now": {"N": f"{now:.3f}"}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if clients.name(error) != "ConditionalCheckFailedException":
                raise
            found: Mapping[str, Any] = error.response["Item"]  # type: ignore[typeddict-item]
            # botocore repeats a call whose response is lost, which then finds its own item.
            return None if found.get("attempt") == {"S": attempt} else found
        return None

    def end(self, outcome: Mapping[str, object]) -> None:
        """Store the outcome."""
        clients.dynamodb().update_item(
            TableName=self._table,
            Key=self._key,
            UpdateExpression="SET outcome = :outcome",
            ExpressionAttributeValues={":outcome": {"S": json.dumps(outcome)}},
        )

    def delete(self) -> None:
        """Delete the item, so that the request can be carried out again."""
        clients.dynamodb().delete_item(TableName=self._table, Key=self._key)


def _repeat(record: Record, item: Mapping[str, Any]) -> Body:
    """Return or raise the stored outcome."""
    if "outcome" not in item:
        raise Failure(REQUEST_IN_PROGRESS)
    record.repeated = True
    outcome = json.loads(item["outcome"]["S"])
    if "unknown" in outcome:
        raise Failure(OUTCOME_UNKNOWN, cause=outcome["unknown"])
    body: Body = outcome["body"]
    return body
