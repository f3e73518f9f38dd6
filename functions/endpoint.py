"""Turns a function into an instrumented Lambda handler for one route of API Gateway.

The only place with a Logger, Metrics and the handler's trace: one log line, one metric and one
subsegment a request. A handler never raises, since the gateway cannot explain a failure.
"""

import base64
import gc
import json
import os
import time
import traceback
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from functions import cognito, problems
from functions.fields import Caller, Request
from functions.logs import make_logger
from functions.metrics import ABSORBED, NAMESPACE, SERVICE, SUCCESS
from functions.operations import SCOPE, Operation
from functions.problems import Failure, FieldError
from functions.settings import settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

MAX_BODY: Final = 64 * 1024
"""Characters; no valid request is larger, even with every character escaped."""

MAX_IDEMPOTENCY_KEY: Final = 255
"""Characters, as elsewhere in this field."""

type Body = dict[str, Any] | None
type Event = dict[str, Any]
type Headers = dict[str, str]
type Answer = dict[str, Any]
type Record = dict[str, Any]
type Handler = Callable[[Event, "LambdaContext"], Answer]


def endpoint[R: Request](
    operation: Operation,
    request_type: type[R],
    *,
    silent: AbstractSet[str] = frozenset(),
    instead: Callable[[R], Body] | None = None,
) -> Callable[[Callable[[R], Body]], Handler]:
    """Decorate the function that carries out an operation; what it returns is the answer's body.

    While user existence is hidden, a failure with one of the `silent` causes is answered by
    `instead`, which sees the request alone and so cannot tell one account from another (OWASP
    ASVS 6.3.8). The operator still sees the cause.
    """

    def decorate(operate: Callable[[R], Body]) -> Handler:
        def attempt(request: R, record: Record) -> Body:
            try:
                record["pool"] = settings().user_pool_id
                record["user"] = cognito.pseudonym("audit", request.user)
                return operate(request)
            except Failure as failure:
                record["cause"] = failure.cause
                record["note"] = failure.note
                hidden = failure.cause in silent and not settings().reveal_user_existence
                if instead is None or not hidden:
                    raise
            finally:
                record |= {"incidents": request.incidents, "repeated": request.repeated}
            record["absorbed"] = True
            return instead(request)

        def respond(event: Event, context: "LambdaContext", record: Record) -> Answer:
            headers: Headers = {}
            try:
                record |= _origin(event)
                sent = {name.lower(): str(v) for name, v in (event.get("headers") or {}).items()}
                headers = _cors_headers(sent)
                body = _read_body(event, sent)
                request = request_type(body, _read_caller(event, sent, context, operation))
                result = attempt(request, record)
            except Failure as failure:
                return _refuse(failure, headers, record)
            except Exception as error:  # noqa: BLE001 - a handler never raises
                # Neither the message nor the locals: both can hold a password.
                record["stack"] = traceback.format_tb(error.__traceback__)
                crash = Failure(problems.INTERNAL_ERROR, cause=type(error).__name__)
                return _refuse(crash, headers, record)
            record |= {"outcome": SUCCESS, "status": 204 if result is None else 200}
            if result is not None:
                headers |= {"Content-Type": "application/json"}
            return _answer(record["status"], result, headers)

        return _instrument(operation, respond)

    return decorate


def _instrument(
    operation: Operation, respond: Callable[[Event, "LambdaContext", Record], Answer]
) -> Handler:
    logger = make_logger()
    metrics = Metrics(service=SERVICE, namespace=NAMESPACE)
    tracer = cognito.tracer

    @logger.inject_lambda_context
    @tracer.capture_lambda_handler(capture_response=False, capture_error=False)
    @metrics.log_metrics(capture_cold_start_metric=True)
    def handler(event: Event, context: "LambdaContext") -> Answer:
        started = time.monotonic()
        record: Record = {"operation": operation.id, "request_id": "", "duration": 0.0}
        answer = respond(event, context, record)
        record["duration"] = round(time.monotonic() - started, 3)
        causes = [record["cause"]] if "cause" in record else []
        hidden = [ABSORBED] if "absorbed" in record else []
        metrics.add_dimension(name="operation", value=operation.id)
        for name in {record["outcome"], *causes, *hidden, *record.get("incidents", ())}:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        tracer.put_annotation(key="outcome", value=record["outcome"])
        if record["status"] >= 500:  # noqa: PLR2004 - HTTP's own number
            logger.error(operation.id, extra={"members": record})
        elif record.get("absorbed") or record.get("incidents"):
            logger.warning(operation.id, extra={"members": record})
        else:
            logger.info(operation.id, extra={"members": record})
        if not operation.signed_in:
            _wait_since(started)
        return answer

    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        cognito.prepare(operation)
    gc.freeze()
    gc.enable()
    instrumented: Handler = handler
    return instrumented


def _answer(status: int, body: Body, headers: Headers) -> Answer:
    return {
        "statusCode": status,
        "headers": {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} | headers,
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _refuse(failure: Failure, headers: Headers, record: Record) -> Answer:
    problem = failure.problem
    record |= {"outcome": problem.code, "status": problem.status}
    record.setdefault("cause", failure.cause)
    if failure.errors:
        record["rules"] = sorted({error.rule for error in failure.errors})
    document = problem.document(record["request_id"], failure.errors)
    # Amplify reads this header first; CORS does not expose it, as the gateway has its own names.
    headers = headers | problem.headers | {"x-amzn-errortype": problem.code}
    return _answer(problem.status, document, headers)


def _context(event: Event) -> dict[str, Any]:
    return event.get("requestContext") or {}


def _origin(event: Event) -> dict[str, Any]:
    context = _context(event)
    identity = context.get("identity") or {}
    return {
        "request_id": context.get("requestId", ""),
        "source_ip": identity.get("sourceIp") or "",
        "user_agent": identity.get("userAgent") or "",
    }


def _cors_headers(sent: Headers) -> Headers:
    """Name the origin only if it is allowed, and say to caches that the answer depends on it."""
    headers = {"Vary": "Origin"}
    origin = sent.get("origin")
    if origin in settings().allowed_origins:
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Retry-After",
        }
    return headers


def _read_body(event: Event, sent: Headers) -> object:
    if sent.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Failure(problems.UNSUPPORTED_MEDIA_TYPE)
    text = event.get("body") or ""
    if len(text) > MAX_BODY:
        raise Failure(problems.TOO_LARGE)
    try:
        if event.get("isBase64Encoded"):
            text = base64.b64decode(text, validate=True).decode()
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        pass
    raise _malformed("json", "The body is not valid JSON in UTF-8.")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _malformed("uniqueNames", "A member of an object stands there twice.")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(name)


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _malformed(rule: str, detail: str) -> Failure:
    return Failure(problems.INVALID_PARAMETER, [FieldError("#", rule, detail)])


def _read_caller(
    event: Event, sent: Headers, context: "LambdaContext", operation: Operation
) -> Caller:
    """Who asks; for an operation that needs it, with the token that the authorizer has verified.

    The authorizer does not know the app client, and might have been removed from the method.
    """
    key = sent.get("idempotency-key", "")
    caller = Caller(**_origin(event), idempotency_key=key, context=context)
    if len(caller.idempotency_key) > MAX_IDEMPOTENCY_KEY:
        detail = f"Idempotency-Key must have at most {MAX_IDEMPOTENCY_KEY} characters."
        raise Failure(
            problems.INVALID_PARAMETER, [FieldError("Idempotency-Key", "maxLength", detail)]
        )
    if not operation.signed_in:
        return caller
    claims = (_context(event).get("authorizer") or {}).get("claims") or {}
    scheme, _, token = sent.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Failure(problems.NOT_SIGNED_IN, cause="NoBearerToken")
    if claims.get("token_use") != "access" or SCOPE not in claims.get("scope", "").split():
        raise Failure(problems.NOT_SIGNED_IN, cause="NoAccessToken")
    if claims.get("iss", "").rpartition("/")[2] != settings().user_pool_id:
        raise Failure(problems.NOT_SIGNED_IN, cause="ForeignPool")
    if claims.get("client_id") not in settings().allowed_client_ids:
        raise Failure(problems.NOT_SIGNED_IN, cause="ForeignClient")
    return caller._replace(
        access_token=token, sub=claims["sub"], username=claims.get("username", "")
    )


def _wait_since(started: float) -> None:
    """Sleep to the next multiple of the step, so that the time tells nothing (ASVS 6.3.8)."""
    try:
        step = settings().answer_step
    except (KeyError, ValueError):
        return  # The log line has it as the cause of a failure.
    if step:
        time.sleep(-(time.monotonic() - started) % step)
