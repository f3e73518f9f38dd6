"""The only module that talks to Cognito."""

import hmac
import json
import time
from base64 import b64encode
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    HTTPClientError,
)
from botocore.parsers import ResponseParserError

from functions import problems
from functions.clients import ForeignAnswerError, make_client
from functions.fields import Request
from functions.metrics import Incident
from functions.operations import Operation
from functions.problems import Failure, Problem
from functions.settings import settings
from functions.traces import make_tracer

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

CONNECT_TIMEOUT: Final = 1
READ_TIMEOUT: Final = 4
"""Seconds for each call."""
POLICY_KEPT_FOR: Final = 300
"""Seconds."""

WRONG_SECRET_HASH: Final = "WrongSecretHash"  # noqa: S105 - the name of a failure
UNKNOWN_MEANING: Final = "UnknownNotAuthorizedException"

_NOT_AUTHORIZED: Final[tuple[tuple[str, str, Problem], ...]] = (
    ("secret hash", WRONG_SECRET_HASH, problems.INTERNAL_ERROR),
    ("secret_hash", WRONG_SECRET_HASH, problems.INTERNAL_ERROR),
    ("incorrect username or password", "NotAuthorizedException", problems.WRONG_PASSWORD),
    ("attempts exceeded", "NotAuthorizedException", problems.TOO_MANY_FAILED_ATTEMPTS),
    ("revoked", "NotAuthorizedException", problems.NOT_SIGNED_IN),
    ("expired", "NotAuthorizedException", problems.NOT_SIGNED_IN),
    ("required scopes", "NotAuthorizedException", problems.NOT_SIGNED_IN),
    ("verify signature", "NotAuthorizedException", problems.NOT_SIGNED_IN),
    ("access token", "NotAuthorizedException", problems.NOT_SIGNED_IN),
    ("disabled", "NotAuthorizedException", problems.NOT_ALLOWED),
    ("current state", "NotAuthorizedException", problems.NOT_ALLOWED),
)
"""The meanings of `NotAuthorizedException`: only a part of Cognito's text tells them apart."""

tracer = make_tracer()


@cache
def client() -> "CognitoIdentityProviderClient":
    """The one for Cognito."""
    made: CognitoIdentityProviderClient = make_client(
        "cognito-idp", connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT
    )
    return made


def prepare(operation: Operation) -> None:
    """Do at the start, when Lambda gives a whole processor, what the first request would wait for.

    What fails here is tried again then.
    """
    with suppress(Failure, KeyError, ValueError):
        client_secret()
        if operation.changes_password:
            password_policy([])


def call(action: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3 has it
    """Cognito's answer to one action, or a `Failure` with the problem that its error stands for."""
    with tracer.provider.in_subsegment(name=action) as subsegment:
        try:
            answer: dict[str, Any] = getattr(client(), xform_name(action))(**parameters)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            failure = _failure(error, parameters)
            subsegment.put_annotation("cause", failure.cause)
        else:
            return answer
    # Outside the subsegment, which would record Cognito's text, and outside the handler of the
    # exception, which would be chained to it.
    raise failure


def call_for(
    request: Request,
    username: str,
    action: str,
    **parameters: Any,  # noqa: ANN401 - as boto3 has it
) -> dict[str, Any]:
    """`call` with what proves to Cognito that our app client asks.

    A wrong secret hash stops Cognito before it acts, so that a secret which was rotated since it
    was read is read again, once.
    """
    if settings().threat_protection and request.caller.source_ip:
        # Otherwise Cognito rates the risk of Lambda's own address.
        parameters["UserContextData"] = {"IpAddress": request.caller.source_ip}
    try:
        return call(action, **_identity(username), **parameters)
    except Failure as failure:
        if failure.cause != WRONG_SECRET_HASH:
            raise
    client_secret.cache_clear()
    return call(action, **_identity(username), **parameters)


def end_sessions(request: Request, action: str, **whose: str) -> None:
    """Revoke every token of a user whose password changed, since Cognito leaves them valid."""
    try:
        call(action, **whose)
    except Failure:
        request.incidents.append(Incident.SIGN_OUT_FAILED)


def password_policy(incidents: list[Incident]) -> dict[str, Any]:
    """The pool's own policy, as Cognito names its rules; empty if it was never readable.

    It is read every five minutes, so that it follows the pool. A failure leaves the old one.
    """
    if time.monotonic() >= kept_policy["expires"]:
        try:
            pool = call("DescribeUserPool", UserPoolId=settings().user_pool_id)["UserPool"]
        except Failure:
            incidents.append(Incident.POLICY_UNREADABLE)
        else:
            kept_policy["rules"] = pool.get("Policies", {}).get("PasswordPolicy", {})
            kept_policy["expires"] = time.monotonic() + POLICY_KEPT_FOR
    rules: dict[str, Any] = kept_policy["rules"]
    return rules


kept_policy: dict[str, Any] = {"expires": 0.0, "rules": {}}


def pseudonym(purpose: str, *parts: str) -> str:
    """A name for what the parts say, the same each time, from which nobody learns the parts.

    The key comes from the client's secret, so that there is no other one to keep; a new secret
    gives new pseudonyms.
    """
    key = (client_secret() or settings().user_pool_client_id).encode()
    message = json.dumps([purpose, *parts]).encode()
    return hmac.digest(key, message, "sha256").hex()


def canonical(username: str) -> str:
    """The name as a pool that ignores case compares it; any other pool gets it as typed."""
    return username.lower() if settings().lower_case_emails and "@" in username else username


def _identity(username: str) -> dict[str, str]:
    username = canonical(username)
    client_id, secret = settings().user_pool_client_id, client_secret()
    identity = {"ClientId": client_id, "Username": username}
    if secret:
        digest = hmac.digest(secret.encode(), (username + client_id).encode(), "sha256")
        identity["SecretHash"] = b64encode(digest).decode()
    return identity


@cache
def client_secret() -> str | None:
    """Read from Cognito once, so that it stands in no template and no environment variable."""
    action = "DescribeUserPoolClient"
    try:
        answer = call(
            action,
            UserPoolId=settings().user_pool_id,
            ClientId=settings().user_pool_client_id,
        )
    except Failure as failure:
        # No account causes this, so its cause is never one of those that are kept silent; and
        # nothing was done, so the outcome is known.
        unreachable = failure.problem in (problems.BAD_GATEWAY, problems.OUTCOME_UNKNOWN)
        raise Failure(
            problems.BAD_GATEWAY if unreachable else problems.INTERNAL_ERROR,
            cause=f"{action}.{failure.cause}",
            note=failure.note,
        ) from None
    secret: str | None = answer["UserPoolClient"].get("ClientSecret")
    return secret


def _failure(error: Exception, parameters: dict[str, Any]) -> Failure:
    note = _redact(str(error), parameters)
    match error:
        case ClientError():
            cause, problem = _meaning(error, signed_in="AccessToken" in parameters)
        case ConnectionError():
            cause, problem = type(error).__name__, problems.BAD_GATEWAY
        case HTTPClientError() | ForeignAnswerError() | ResponseParserError():
            # It was sent, and whoever answered did not say what came of it.
            cause, problem = type(error).__name__, problems.OUTCOME_UNKNOWN
        case _:
            cause, problem = type(error).__name__, problems.INTERNAL_ERROR
    return Failure(problem, cause=cause, note=note)


def _redact(text: str, parameters: dict[str, Any]) -> str:
    """The text without anything that was sent, since Cognito's messages can echo it."""
    sent: set[str] = set()
    for value in parameters.values():
        sent |= set(value.values()) if isinstance(value, dict) else {value}
    for value in sorted(sent, key=len, reverse=True):
        text = text.replace(value, "***") if value else text
    return text


def _meaning(error: ClientError, *, signed_in: bool) -> tuple[str, Problem]:
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "").lower()
    if code == "NotAuthorizedException":
        for part, cause, problem in _NOT_AUTHORIZED:
            if part in text:
                return cause, problem
        return UNKNOWN_MEANING, problems.NOT_SIGNED_IN if signed_in else problems.NOT_ALLOWED
    # Without a code of Cognito's own, botocore puts the HTTP status in its place.
    fallback = problems.OUTCOME_UNKNOWN if code.startswith("5") else problems.INTERNAL_ERROR
    return code, problems.COGNITO.get(code, fallback)
