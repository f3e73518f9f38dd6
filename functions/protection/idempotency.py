"""Idempotency keys: a client that lost the response may send its request again.

Powertools' utility, with other answers to three questions: an unknown outcome is stored as such, a
table that fails stops nothing, and the stored key reveals nothing about the request.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    BaseError,
    IdempotencyAlreadyInProgressError,
)

from functions.aws import clients
from functions.problems import OUTCOME_UNKNOWN, REQUEST_IN_PROGRESS, Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation
from functions.requests import Body, Request

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LIFETIME: Final = 3600
"""Seconds for which a response is stored."""


def run_once(request: Request, act: Callable[[], Body]) -> Body:
    """Act, unless the same user has sent the same request with the same key before.

    A definite failure is not stored. If the function is killed, the request stays in progress until
    the function's time-out, and can be repeated after that.
    """
    ended: list[Body | Exception] = []

    def run(*, key: str) -> dict[str, Any]:  # noqa: ARG001 - the utility reads the key
        try:
            ended.append(act())
        except Exception as error:
            ended.append(error)
            if not (isinstance(error, Failure) and error.problem is OUTCOME_UNKNOWN):
                raise
            return {"unknown": error.cause}
        return {"body": ended[0]}

    wrapped = idempotent_function(
        run,
        data_keyword_argument="key",
        persistence_store=_make_layer(request.settings.table_name, clients.dynamodb()),
        config=IdempotencyConfig(
            expires_after_seconds=LIFETIME,
            hash_function="sha256",
            lambda_context=request.caller.context,
        ),
        key_prefix=f"idempotency#{request.operation.id}",
    )
    try:
        stored = wrapped(key=_key(request))
    except IdempotencyAlreadyInProgressError:
        raise Failure(REQUEST_IN_PROGRESS) from None
    except BaseError:
        request.record.degrade(Degradation.IDEMPOTENCY_FAILED)
        if not ended:
            return act()
    if ended:
        if isinstance(ended[0], Exception):
            raise ended[0]
        return ended[0]
    request.record.repeated = True
    if "unknown" in stored:
        raise Failure(OUTCOME_UNKNOWN, cause=stored["unknown"])
    body: Body = stored["body"]
    return body


@cache
def _make_layer(table_name: str, client: "DynamoDBClient") -> DynamoDBPersistenceLayer:
    """Return the process's one layer: each layer adds a handler to its client, for good."""
    return DynamoDBPersistenceLayer(table_name, boto3_client=client)


def _key(request: Request) -> str:
    body = json.dumps(request.values, sort_keys=True)
    parts = (request.operation.id, request.user, request.caller.idempotency_key, body)
    return keyed_hash(request.settings.pseudonym_key, "idempotency", *parts)
