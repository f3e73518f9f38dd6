"""AWS clients, made by botocore without boto3.

boto3's sessions are botocore's, and importing boto3 as well for its resources and transfers would
add a tenth to a cold start.
"""

import encodings.idna  # noqa: F401 - the first connection would import it
import logging
import os
import ssl
from functools import cache
from threading import Lock
from typing import Any, Final

from botocore import handlers, xform_name
from botocore.config import Config
from botocore.credentials import ContainerProvider, CredentialResolver, EnvProvider
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from functions import times
from functions.aws.actions import ACTIONS, Client
from functions.records import SERVICE

AMAZON_ROOTS: Final = __file__.replace("clients.py", "amazon-roots.pem")
"""Amazon's own certificates of botocore's list, in the bundle. Reading all of them takes 17 ms per
connection."""

_OTHER_PARTITIONS: Final = ("cn-", "eu-isoe-", "eusc-", "us-gov-", "us-iso")
_OVERRIDES: Final = ("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "REQUESTS_CA_BUNDLE")

_logger: Final = logging.getLogger(SERVICE)
"""The logger to which Powertools' is a handle, so that a warning is a line of JSON."""


class ForeignAnswerError(BotoCoreError):
    """A 2xx response that did not come from AWS, for example a proxy's page.

    botocore would take it for an empty success.
    """

    fmt = "A successful response has no request ID."


def _refuse_foreign(response_dict: dict[str, Any], **_: object) -> None:
    success = response_dict["status_code"] < 300  # noqa: PLR2004 - HTTP
    if success and "x-amzn-requestid" not in response_dict["headers"]:
        raise ForeignAnswerError


class UnreadableAnswerError(BotoCoreError):
    """A response that botocore itself cannot read, such as a list instead of a document."""

    fmt = "botocore could not read the response: {kind}."


class OutOfTimeError(BotoCoreError):
    """A call failed, and there is no time left to retry it."""

    fmt = "The call failed, and there is no time left to try it again."


def _check_deadline(request: Any, **_: object) -> None:
    if request.context["retries"]["attempt"] > 1 and times.is_over():
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


_made: Final[dict[Client, tuple[Any, float]]] = {}
"""The clients of this process, and when each was last used."""
_making: Final = Lock()
"""Clients may be shared by threads. The session that makes them may not."""


def find_client(kind: Client) -> Any:
    """Return the client, made when it is first needed, without connections that may be dead."""
    time_limits, now = times.current(), times.now()
    kind = kind._replace(read=time_limits.read or kind.read)
    with _making:
        client, used = _made.get(kind, (None, now))
        if client is None:
            client = make_client(kind)
        elif not 0 <= now - used < time_limits.idle:
            client.close()
        _made[kind] = client, now
    return client


def request(action: str, **parameters: Any) -> dict[str, Any]:
    """Return AWS's response to an action, or raise one of `ERRORS`."""
    client = find_client(ACTIONS[action].client)
    try:
        response: dict[str, Any] = getattr(client, xform_name(action))(**parameters)
    except ERRORS:
        raise
    except Exception as error:  # noqa: BLE001 - what its parser does not expect may raise anything
        raise UnreadableAnswerError(kind=type(error).__name__) from None
    return response


def make_client(kind: Client, *, roots: str = AMAZON_ROOTS) -> Any:
    """Return a new client for this region.

    Parameters are not validated a second time, and no request is large enough for compression.
    """
    certificates = None if _needs_all_roots(roots) else roots
    client = session().create_client(
        kind.service,
        region_name=os.environ["AWS_REGION"],
        verify=certificates,
        config=Config(
            disable_request_compression=True,
            parameter_validation=False,
            tcp_keepalive=True,
            user_agent="password-service",
            connect_timeout=kind.connect,
            read_timeout=kind.read,
            retries={"mode": "standard", "total_max_attempts": kind.attempts},
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
    endpoint: Any, attempts: int, caught_exception: Exception | None, **_: object
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
