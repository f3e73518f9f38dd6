"""Who sent a request: what the gateway and its authorizer report, and what the headers say."""

import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from functions import outcomes, problems
from functions.operations import SCOPE, Operation
from functions.problems import REQUEST_RULES, Failure, FieldError
from functions.records import MAX_USER_AGENT
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
    key = headers.get("idempotency-key", "")
    if len(key) > MAX_IDEMPOTENCY_KEY:
        name, rule, params = "Idempotency-Key", "maxLength", {"maximum": MAX_IDEMPOTENCY_KEY}
        error = FieldError(name, rule, REQUEST_RULES[rule].format(field=name, **params), params)
        raise Failure(problems.INVALID_REQUEST, [error])
    caller = caller._replace(idempotency_key=key)
    if not operation.signed_in:
        return caller
    claims = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    if len(_authorizations(event)) > 1:
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


def _authorizations(event: dict[str, Any]) -> list[str]:
    """Return the values of the header; `multiValueHeaders` has one for each time it was sent."""
    single = _values({name: [value] for name, value in (event.get("headers") or {}).items()})
    repeated = _values(event.get("multiValueHeaders") or {})
    return repeated if len(repeated) > 1 else sorted({*single, *repeated})


def _values(headers: Mapping[str, Sequence[str]]) -> list[str]:
    named = [values for name, values in headers.items() if name.lower() == "authorization"]
    return [value for values in named for value in values]


def read_claims(token: str) -> dict[str, Any]:
    """Return the payload of a JWT, without verifying it; empty if it cannot be decoded."""
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
