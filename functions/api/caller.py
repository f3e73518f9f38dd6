"""The sender of a request, from the gateway's and its authorizer's reports and the headers."""

import hmac
import json
import math
from base64 import urlsafe_b64decode
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from functions import outcomes, problems
from functions.operations import ADDRESS_HEADER, SCOPE, SERVER_HEADER, Operation
from functions.problems import REQUEST_RULES, Failure, FieldError
from functions.records import MAX_USER_AGENT, Degradation, Record
from functions.requests import Caller
from functions.settings import Runtime

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

MAX_IDEMPOTENCY_KEY: Final = 255
"""Characters, the usual maximum for this header."""
NO_ADDRESS: Final = (
    "The event has no requestContext.identity.sourceIp. Call the function through an API Gateway"
    " REST API, not through an HTTP API, a load balancer or a function URL."
)
"""The note of a request that cannot be counted, because nobody knows where it came from."""

_CHECKED_CLAIMS: Final = ("sub", "client_id", "token_use", "jti")
"""The claims that identify the token that the authorizer verified."""


def read_caller(event: dict[str, Any], context: "LambdaContext") -> Caller:
    """Return what the gateway reports about every caller."""
    request = event.get("requestContext") or {}
    identity = request.get("identity") or {}
    return Caller(
        request_id=request.get("requestId", ""),
        source_ip=identity.get("sourceIp") or "",
        user_agent=(identity.get("userAgent") or "")[:MAX_USER_AGENT],
        context=context,
    )


def name_user(caller: Caller, event: dict[str, Any], settings: Runtime, record: Record) -> Caller:
    """Return the caller with the address of the user for whom a server of the operator calls.

    A server proves with a secret that it may name an address. Without the right one, the address of
    the connection counts.
    """
    sent, named = _values(event, SERVER_HEADER), _values(event, ADDRESS_HEADER)
    secrets = [one for one in (settings.server_secret, settings.next_server_secret) if one]
    if not (secrets and (sent or named)):
        return caller
    # Each is compared, so that the time tells nothing.
    fits = [hmac.compare_digest(one.encode(), own.encode()) for one in sent for own in secrets]
    if len(sent) != 1 or not any(fits):
        record.degrade(Degradation.WRONG_SERVER)
        return caller
    with suppress(ValueError):
        if len(named) == 1 and "%" not in named[0]:  # after which an address may have any text
            caller = caller._replace(source_ip=str(ip_address(named[0])), by_server=True)
            record.source_ip, record.by_server = caller.source_ip, True
            return caller
    detail = REQUEST_RULES["ipAddress"].format(field=ADDRESS_HEADER)
    raise Failure(problems.INVALID_REQUEST, [FieldError(ADDRESS_HEADER, "ipAddress", detail)])


def identify(
    caller: Caller,
    event: dict[str, Any],
    headers: dict[str, str],
    operation: Operation,
    settings: Runtime,
) -> Caller:
    """Add the idempotency key and, where the operation needs one, the signed-in user.

    The authorizer has verified the token. It does not check the app client, and it could have been
    removed from the method by hand, so the claims are checked here as well.
    """
    key = headers.get("idempotency-key", "") if operation.repeatable else ""
    if len(key) > MAX_IDEMPOTENCY_KEY:
        name, rule, params = "Idempotency-Key", "maxLength", {"maximum": MAX_IDEMPOTENCY_KEY}
        error = FieldError(name, rule, REQUEST_RULES[rule].format(field=name, **params), params)
        raise Failure(problems.INVALID_REQUEST, [error])
    caller = caller._replace(idempotency_key=key)
    if not operation.signed_in:
        return caller
    claims = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    if len(_values(event, "Authorization")) > 1:
        raise outcomes.ANOTHER_TOKEN.failure()
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise outcomes.NO_BEARER_TOKEN.failure()
    if claims.get("token_use") != "access":
        raise outcomes.NO_ACCESS_TOKEN.failure()
    if SCOPE not in claims.get("scope", "").split():
        raise outcomes.NO_SCOPE.failure()
    if claims.get("iss", "").rpartition("/")[2] != settings.user_pool_id:
        raise outcomes.FOREIGN_POOL.failure()
    if claims.get("client_id") not in settings.allowed_client_ids:
        raise outcomes.FOREIGN_CLIENT.failure()
    # The authorizer may have verified another token than the one that reaches the function. Cognito
    # verifies the signature of what is forwarded, so it is enough to read the claims here.
    sent = read_claims(token)
    if any(claims.get(name) is None or claims[name] != sent.get(name) for name in _CHECKED_CLAIMS):
        raise outcomes.ANOTHER_TOKEN.failure()
    return caller._replace(
        access_token=token,
        sub=claims["sub"],
        username=claims.get("username", ""),
        signed_in_at=_read_time(claims.get("auth_time")),
    )


def _read_time(claim: object) -> float:
    """Return the seconds of a claim. The authorizer passes claims on as text."""
    try:
        return float(str(claim))
    except ValueError:
        return math.nan


def _values(event: dict[str, Any], header: str) -> list[str]:
    """Return a header's values; `multiValueHeaders` has one for each time it was sent."""
    single, repeated = event.get("headers") or {}, event.get("multiValueHeaders") or {}
    once = {value for name, value in single.items() if name.lower() == header.lower()}
    lists = [values for name, values in repeated.items() if name.lower() == header.lower()]
    each = [value for values in lists for value in values]
    return each if len(each) > 1 else sorted({*once, *each})


def read_claims(token: str) -> dict[str, Any]:
    """Return the payload of a JWT, without verifying it; empty if it cannot be decoded."""
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
