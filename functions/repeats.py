"""A client that lost the answer may send its request again, and gets the first answer.

Powertools' idempotency, less its defaults that do not fit here: an outcome that nobody knows is
kept as such, a table that fails stops nothing, and the key tells nothing about the request.
"""

import json
from collections.abc import Callable
from typing import Final

from functions import cognito, table
from functions.fields import Request
from functions.metrics import Incident
from functions.operations import Operation
from functions.problems import IN_PROGRESS, OUTCOME_UNKNOWN, Failure
from functions.settings import settings

KEPT_FOR: Final = 3600
"""Seconds."""


def once(operation: Operation, request: Request, act: Callable[[], None]) -> None:
    """Act, unless the same user's same request with the same `Idempotency-Key` did so before.

    A definite failure is not kept. After a kill, the guarantee ends with the in-progress record,
    when the function's time is over.
    """
    if not request.caller.idempotency_key:
        act()
        return
    # Imported late: most requests have no such header, and the import is slow.
    from aws_lambda_powertools.utilities.idempotency import (  # noqa: PLC0415
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )
    from aws_lambda_powertools.utilities.idempotency.exceptions import (  # noqa: PLC0415
        BaseError,
        IdempotencyAlreadyInProgressError,
    )

    ended: list[Failure | None] = []

    def run(*, key: str) -> str:  # noqa: ARG001 - the key is the utility's
        try:
            act()
        except Failure as failure:
            ended.append(failure)
            if failure.problem is not OUTCOME_UNKNOWN:
                raise
            return failure.cause
        ended.append(None)
        return ""

    wrapped = idempotent_function(
        run,
        data_keyword_argument="key",
        persistence_store=DynamoDBPersistenceLayer(
            table_name=settings().table_name, boto3_client=table.client()
        ),
        config=IdempotencyConfig(
            expires_after_seconds=KEPT_FOR,
            hash_function="sha256",
            lambda_context=request.caller.context,
        ),
        key_prefix=f"repeat#{operation.id}",
    )
    try:
        unknown = wrapped(key=_key(operation, request))
        request.repeated = not ended
    except IdempotencyAlreadyInProgressError:
        raise Failure(IN_PROGRESS) from None
    except BaseError:
        request.incidents.append(Incident.REPEATS_FAILED)
        if not ended:
            act()
            return
        unknown = None
    if ended and ended[0]:
        raise ended[0]
    if unknown:
        raise Failure(OUTCOME_UNKNOWN, cause=unknown)


def _key(operation: Operation, request: Request) -> str:
    body = json.dumps(request.values, sort_keys=True)
    parts = (operation.id, request.user, request.caller.idempotency_key, body)
    return cognito.pseudonym("repeats", *parts)
