"""AWS clients, made by botocore alone.

boto3's sessions are botocore's, and importing boto3 as well for its resources and transfers would
add a tenth to a cold start.
"""

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore import handlers
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import Session

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient

AMAZON_ROOTS: Final = Path(__file__).with_name("amazon-roots.pem")
"""Amazon's own certificates of botocore's list, in the bundle. Reading all of them takes 17 ms per
connection."""

_OTHER_PARTITIONS: Final = ("cn-", "eu-isoe-", "eusc-", "us-gov-", "us-iso")
_OVERRIDES: Final = ("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "REQUESTS_CA_BUNDLE")


TIMEOUTS: Final[dict[str, tuple[float, float]]] = {
    # Its triggers and mails may take a few seconds.
    "cognito-idp": (1, 4),
    # Neither is worth a longer wait.
    "dynamodb": (0.5, 0.5),
    "events": (0.5, 0.5),
}
"""Seconds to connect, and to read."""


class ForeignAnswerError(BotoCoreError):
    """A 2xx response that did not come from AWS, for example a proxy's page.

    botocore would take it for an empty success.
    """

    fmt = "A successful response has no request ID."


def _refuse_foreign(parsed: dict[str, Any], **_: object) -> None:
    if "Error" not in parsed and "RequestId" not in parsed["ResponseMetadata"]:
        raise ForeignAnswerError


_HANDLERS: Final[dict[str, Any]] = {
    "choose-signer": handlers.set_operation_specific_signer,
    "before-call": handlers.add_recursion_detection_header,
    "request-created": handlers.add_retry_headers,
    "after-call": _refuse_foreign,
}


@cache
def session() -> Session:
    """Return the session that all clients share, with the credentials and the models.

    A session registers a hundred handlers for services that we do not use. These are the ones that
    apply to our calls, and one of our own. `tests/bundle` compares the requests with stock boto3's.

    Importing Powertools makes every later session rebuild its user agent on each call, so
    `functions.start` creates ours first.
    """
    made = Session(include_builtin_handlers=False)
    for event, handler in _HANDLERS.items():
        made.register(event, handler)
    return made


@cache
def cognito() -> "CognitoIdentityProviderClient":
    """Return the client for the user pool."""
    made: CognitoIdentityProviderClient = make_client("cognito-idp")
    return made


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the client for the table."""
    made: DynamoDBClient = make_client("dynamodb")
    return made


@cache
def eventbridge() -> "EventBridgeClient":
    """Return the client for the event bus."""
    made: EventBridgeClient = make_client("events")
    return made


def make_client(service: str) -> Any:  # noqa: ANN401 - as botocore has it
    """Return a client without retries.

    Retrying a change that succeeded would report a false failure. Parameters are not validated a
    second time, and no request is large enough for compression.
    """
    connect, read = TIMEOUTS[service]
    return session().create_client(
        service,
        region_name=os.environ["AWS_REGION"],
        verify=_certificates(),
        config=Config(
            connect_timeout=connect,
            disable_request_compression=True,
            read_timeout=read,
            parameter_validation=False,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,
            user_agent="password-service",
        ),
    )


def _certificates() -> str | None:
    """Return the path of Amazon's certificates, or None for botocore's own choice."""
    elsewhere = any(name.startswith(_OVERRIDES) for name in os.environ)
    other_partition = os.environ["AWS_REGION"].startswith(_OTHER_PARTITIONS)
    full = elsewhere or other_partition or not AMAZON_ROOTS.exists()
    return None if full else str(AMAZON_ROOTS)
