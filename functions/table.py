"""The one table: what limits count, and which requests were answered already."""

from functools import cache
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT: Final = 0.5
"""Seconds to connect, and again to wait; the table is never worth a longer one."""


@cache
def client() -> "DynamoDBClient":
    """Made when the first feature that needs it is used, not before."""
    return boto3.client(
        "dynamodb",
        config=Config(
            connect_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )
