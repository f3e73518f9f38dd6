"""The one table: what limits count, and which requests were answered already."""

from functools import cache
from typing import TYPE_CHECKING, Final

from functions.clients import make_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT: Final = 0.5
"""Seconds to connect, and again to wait; the table is never worth a longer one."""


@cache
def client() -> "DynamoDBClient":
    """Made when the first feature that needs it is used, not before."""
    made: DynamoDBClient = make_client("dynamodb", connect_timeout=TIMEOUT, read_timeout=TIMEOUT)
    return made
