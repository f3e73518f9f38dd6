"""AWS clients, made by botocore alone.

boto3's sessions are botocore's, and importing boto3 as well for its resources and transfers would
add a tenth to a cold start.
"""

import encodings.idna  # noqa: F401 - the first connection would import it
import logging
import os
import ssl
import time
from contextvars import ContextVar
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, Final

from botocore import handlers
from botocore.config import Config
from botocore.credentials import ContainerProvider, CredentialResolver, EnvProvider
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from functions.records import SERVICE

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sqs import SQSClient

AMAZON_ROOTS: Final = __file__.replace("clients.py", "amazon-roots.pem")
"""Amazon's own certificates of botocore's list, in the bundle. Reading all of them takes 17 ms per
connection."""

_OTHER_PARTITIONS: Final = ("cn-", "eu-isoe-", "eusc-", "us-gov-", "us-iso")
_OVERRIDES: Final = ("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "REQUESTS_CA_BUNDLE")


IDLE: Final = 2.0
"""Seconds of wall-clock time after which a kept connection is not used again.

Lambda freezes a process between two calls, and networks drop connections that are idle. A request
on a dead connection would fail without being answered, and a change must not be sent twice.
"""
RETRY_TIME: Final = 6.0
"""Seconds after the start of a request within which calls may be retried."""

_logger: Final = logging.getLogger(SERVICE)
"""The logger to which Powertools' is a handle, so that a warning is a line of JSON."""

deadline: Final = ContextVar("deadline", default=inf)
"""The time of `time.monotonic` after which no call is retried."""


class ForeignAnswerError(BotoCoreError):
    """A 2xx response that did not come from AWS, for example a proxy's page.

    botocore would take it for an empty success.
    """

    fmt = "A successful response has no request ID."


def _refuse_foreign(response_dict: dict[str, Any], operation_model: Any, **_: object) -> None:  # noqa: ANN401 - botocore has no types
    success = response_dict["status_code"] < 300  # noqa: PLR2004 - HTTP
    known = "x-amzn-requestid" in response_dict["headers"]
    # The emulator's SES sends no ID, but the response to SendEmail has one of its own.
    if success and not known and operation_model.name != "SendEmail":
        raise ForeignAnswerError


class OutOfTimeError(BotoCoreError):
    """A call failed, and there is no time left to retry it."""

    fmt = "The call failed, and there is no time left to try it again."


def _check_deadline(request: Any, **_: object) -> None:  # noqa: ANN401 - botocore has no types
    if request.context["retries"]["attempt"] > 1 and time.monotonic() > deadline.get():
        raise OutOfTimeError


_HANDLERS: Final[tuple[tuple[str, Any], ...]] = (
    ("choose-signer", handlers.set_operation_specific_signer),
    ("before-call", handlers.add_recursion_detection_header),
    ("request-created", handlers.add_retry_headers),
    ("request-created", _check_deadline),
    ("before-parse", _refuse_foreign),
)


@cache
def session() -> Session:
    """Return the session that all clients share, with the credentials and the models.

    A session registers a hundred handlers for services that we do not use. These are the ones that
    apply to our calls, and two of our own. `tests/bundle` compares the requests with stock boto3's.

    Importing Powertools makes every later session rebuild its user agent on each call, so
    `functions.start` creates ours first.
    """
    made = Session(include_builtin_handlers=False)
    # Lambda gives its credentials in the environment, or with SnapStart by a container's endpoint.
    # Searching all other places takes three milliseconds.
    container = ContainerProvider.ENV_VAR_FULL in os.environ
    provider = ContainerProvider() if container else EnvProvider()
    made.register_component("credential_provider", CredentialResolver([provider]))
    for event, handler in _HANDLERS:
        made.register(event, handler)
    return made


class Client[C]:
    """A client that is made when it is first called for; its idle connections are closed.

    With one attempt, nothing is tried again: retrying a change that succeeded would report a false
    failure. With more, botocore's standard mode repeats what was throttled or got no answer.
    """

    def __init__(self, service: str, *, connect: float, read: float, attempts: int) -> None:
        self.service = service
        self.longest = connect + read
        """The most seconds that one attempt can take."""
        self._options: dict[str, Any] = {
            "connect_timeout": connect,
            "read_timeout": read,
            "retries": {"mode": "standard", "total_max_attempts": attempts},
        }
        self._client: Any = None
        self._used = 0.0

    def __call__(self) -> C:
        """Return the client after closing connections that may be dead."""
        now = time.time()
        if self._client is None:
            self._client = make_client(self.service, **self._options)
        elif not 0 <= now - self._used < IDLE:
            self._client.close()
        self._used = now
        client: C = self._client
        return client


changes: "Final[Client[CognitoIdentityProviderClient]]" = Client(
    "cognito-idp", connect=1, read=4, attempts=1
)
"""For Cognito calls that must not run twice. Triggers and mails may take a few seconds."""
cognito: "Final[Client[CognitoIdentityProviderClient]]" = Client(
    "cognito-idp", connect=1, read=2, attempts=3
)
"""For Cognito calls that may run twice."""
codes: "Final[Client[CognitoIdentityProviderClient]]" = Client(
    "cognito-idp", connect=1, read=16, attempts=1
)
"""Cognito, for codes: it calls a trigger up to three times, for 5 s each. The worker waits, or with
`reveal_user_existence` the caller."""
dynamodb: "Final[Client[DynamoDBClient]]" = Client("dynamodb", connect=1, read=3, attempts=3)
eventbridge: "Final[Client[EventBridgeClient]]" = Client("events", connect=1, read=2, attempts=3)
ses: "Final[Client[SESV2Client]]" = Client("sesv2", connect=1, read=4, attempts=1)
"""For SES, with one attempt: the worker retries later, so that no mail is sent twice."""
sqs: "Final[Client[SQSClient]]" = Client("sqs", connect=1, read=2, attempts=3)


def make_client(service: str, *, roots: str = AMAZON_ROOTS, **options: Any) -> Any:  # noqa: ANN401 - as botocore has it
    """Return a client for this region.

    Parameters are not validated a second time, and no request is large enough for compression.
    """
    certificates = None if _needs_all_roots(roots) else roots
    client = session().create_client(
        service,
        region_name=os.environ["AWS_REGION"],
        verify=certificates,
        config=Config(
            disable_request_compression=True,
            parameter_validation=False,
            tcp_keepalive=True,
            user_agent="password-service",
            **options,
        ),
    )
    if certificates:
        retry: Any = _trust_all_roots
        client.meta.events.register("needs-retry", retry)
    return client


ERRORS: Final = (BotoCoreError, ClientError, ResponseParserError)
"""Every exception that a call can raise."""


def name(error: Exception) -> str:
    """Return the name that AWS or botocore gives an error."""
    return (
        error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    )


def _needs_all_roots(roots: str) -> bool:
    """Return whether Amazon's certificates may not be enough, or are not there."""
    elsewhere = any(name.startswith(_OVERRIDES) for name in os.environ)
    other_partition = os.environ["AWS_REGION"].startswith(_OTHER_PARTITIONS)
    return elsewhere or other_partition or not os.path.exists(roots)  # noqa: PTH110 - pathlib is slow to import


def _trust_all_roots(
    endpoint: Any,  # noqa: ANN401 - botocore has no types
    attempts: int,
    caught_exception: Exception | None,
    **_: object,
) -> int | None:
    """Have botocore retry with its full list of certificates if Amazon's did not verify a host.

    Nothing was sent yet, because the TLS handshake failed. So this retries changes, too.
    """
    if not isinstance(caught_exception, SSLError):
        return None
    if not isinstance(caught_exception.kwargs["error"].args[0], ssl.SSLCertVerificationError):
        return None
    endpoint.http_session._verify = True  # noqa: SLF001 - botocore reads it for each connection
    _logger.warning("Amazon's certificates did not verify a host, so all are used from now on")
    return 0 if attempts == 1 else None
