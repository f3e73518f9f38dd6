"""Call AWS: trace the call, and turn an error into the `Failure` that it stands for."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from aws_lambda_powertools.tracing.base import BaseSegment
from botocore.exceptions import ClientError

from functions import outcomes, problems
from functions.aws import clients
from functions.aws.actions import ACTIONS
from functions.problems import Failure, Outcome
from functions.telemetry.traces import tracer


def trace(action: str) -> AbstractContextManager[BaseSegment]:
    """Open a subsegment for a call of an action."""
    service, operation = ACTIONS[action].client.service, {"operation": action}
    return tracer().provider.in_subsegment(service, namespace="aws", aws=operation)


def call(action: str, **parameters: Any) -> dict[str, Any]:
    """Return the response to an action, or raise a `Failure`."""
    with trace(action) as subsegment:
        try:
            return clients.request(action, **parameters)
        except clients.ERRORS as error:
            failure = _read_failure(error, action, parameters)
            subsegment.put_annotation("cause", failure.outcome.cause)
    # Outside the subsegment, which would record AWS's text, and outside the exception's handler,
    # which would chain the exception to this one.
    raise failure


def _read_failure(error: Exception, action: str, parameters: Mapping[str, Any]) -> Failure:
    service = ACTIONS[action].client.service
    if service != "cognito-idp":
        # No caller of these sees more than that a part of the service failed.
        cause = f"{action}.{clients.name(error)}"
        mails = service == "sesv2"
        problem = problems.CODE_NOT_DELIVERED if mails else problems.SERVICE_UNAVAILABLE
        outcome = outcomes.NEIGHBOURS.get(cause) or Outcome(cause, problem)
        return outcome.failure(action=action)
    if isinstance(error, ClientError):
        outcome = _read_cognito(error, signed_in="AccessToken" in parameters)
    else:
        outcome = _read_connection(error)
    return outcome.failure(_redact(str(error), parameters), action)


def _read_cognito(error: ClientError, *, signed_in: bool) -> Outcome:
    code = error.response["Error"]["Code"]
    # Cognito writes both "secret hash" and "SECRET_HASH".
    text = str(error.response["Error"].get("Message") or "").lower().replace("_", " ")
    for outcome in outcomes.COGNITO:
        if code == (outcome.exception or outcome.cause) and outcome.text in text:
            return outcome
    if code == outcomes.NOT_AUTHORIZED:
        unknown = outcomes.UNKNOWN_MEANING
        return unknown._replace(problem=problems.NOT_SIGNED_IN) if signed_in else unknown
    # If Cognito named no exception, botocore puts the HTTP status here.
    if code.startswith("5"):
        return Outcome(code, problems.OUTCOME_UNKNOWN, may_have_acted=True)
    return Outcome(code, problems.INTERNAL_ERROR, of_account=True, is_known=False)


def _read_connection(error: Exception) -> Outcome:
    kinds = (kind.__name__ for kind in type(error).__mro__)
    row = next(outcomes.CONNECTION[kind] for kind in kinds if kind in outcomes.CONNECTION)
    return row._replace(cause=type(error).__name__)


def _redact(text: str, parameters: Mapping[str, Any]) -> str:
    """Remove every value that was sent, because Cognito's messages can echo them."""
    sent: set[str] = set()
    for value in parameters.values():
        if isinstance(value, dict):
            sent |= set(value.values())
        elif isinstance(value, str):
            sent.add(value)
    for value in sorted(sent, key=len, reverse=True):
        text = text.replace(value, "***") if value else text
    return text
