"""Clients of AWS, made the cheap way: by botocore, whose sessions are all that boto3's are.

Importing boto3 as well costs a tenth of a cold start, for its resources and transfers.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from botocore import handlers
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.session import Session

AMAZON_ROOTS: Final = Path(__file__).with_name("amazon-roots.pem")
"""What the bundle has of botocore's certificates; reading all of them costs 17 ms a connection."""


_OTHER_PARTITIONS: Final = ("cn-", "eu-isoe-", "eusc-", "us-gov-", "us-iso")
_OVERRIDES: Final = ("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "REQUESTS_CA_BUNDLE")


class ForeignAnswerError(BotoCoreError):
    """A success that AWS has not told of, such as a proxy's page: botocore takes it for empty."""

    fmt = "A successful answer has no request id."


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
    """What all clients share: the credentials, and the models that were read.

    Of the hundred handlers that a session registers, for services that we do not ask, these are
    the ones that a call to ours passes, and one of our own. `tests/bundle` compares what is sent
    with stock boto3.
    """
    made = Session(include_builtin_handlers=False)
    for event, handler in _HANDLERS.items():
        made.register(event, handler)
    return made


# Powertools, once imported, has each new session change its user agent anew for every call.
session()


def make_client(service: str, *, connect_timeout: float, read_timeout: float) -> Any:  # noqa: ANN401
    """A client that asks once: who repeats a change may report a failure although it worked.

    Parameters are not validated again, no request is large enough to be compressed, and the user
    agent is not built anew for each call.
    """
    return session().create_client(
        service,
        region_name=os.environ["AWS_REGION"],
        verify=_certificates(),
        config=Config(
            connect_timeout=connect_timeout,
            disable_request_compression=True,
            read_timeout=read_timeout,
            parameter_validation=False,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,
            user_agent="password-service",
        ),
    )


def _certificates() -> str | None:
    """The path of Amazon's roots where only Amazon is asked, or None for botocore's choice."""
    elsewhere = any(name.startswith(_OVERRIDES) for name in os.environ)
    other_partition = os.environ["AWS_REGION"].startswith(_OTHER_PARTITIONS)
    full = elsewhere or other_partition or not AMAZON_ROOTS.exists()
    return None if full else str(AMAZON_ROOTS)
