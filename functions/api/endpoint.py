"""A function becomes an HTTP operation: one Lambda handler behind API Gateway.

`Endpoint.handler` is the pipeline of every request. It never raises, because the gateway could not
explain a failure to the caller.
"""

import json
import time
import traceback
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit

from functions import problems
from functions.api.body import read_body
from functions.api.caller import identify, read_caller
from functions.api.cors import cors_headers
from functions.api.padding import pad
from functions.aws import cognito
from functions.problems import Failure, Problem
from functions.protection import idempotency
from functions.protection.pseudonyms import keyed_hash
from functions.records import SUCCESS, Record
from functions.requests import Body, Request
from functions.settings import Settings
from functions.telemetry.logs import make_logger
from functions.telemetry.metrics import make_metrics
from functions.telemetry.traces import tracer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

type Event = dict[str, Any]
type Response = dict[str, Any]
type HiddenAnswer[R: Request] = Callable[[R], Body] | Problem


def endpoint[R: Request](
    request_type: type[R],
    *,
    hidden_causes: AbstractSet[str] = frozenset(),
    hidden_answer: HiddenAnswer[R] | None = None,
) -> "Callable[[Callable[[R], Body]], Endpoint[R]]":
    """Decorate the function that carries out an operation and returns the response's body.

    While user existence is hidden, a failure with one of the `hidden_causes` gets the
    `hidden_answer`: a problem, or a body made from the request alone. So it cannot depend on the
    account (OWASP ASVS 6.3.8). The operator still sees the cause.
    """
    return lambda operate: Endpoint(operate, request_type, hidden_causes, hidden_answer)


class Endpoint[R: Request]:
    """The Lambda handler of one operation."""

    def __init__(
        self,
        operate: Callable[[R], Body],
        request_type: type[R],
        hidden_causes: AbstractSet[str],
        hidden_answer: HiddenAnswer[R] | None,
    ) -> None:
        self.operation = request_type.operation
        self.operate = operate
        self.request_type = request_type
        self.hidden_causes = hidden_causes
        self.hidden_answer = hidden_answer

    def __call__(self, event: Event, context: "LambdaContext") -> Response:
        """Respond to one event."""
        response: Response = self._instrumented(event, context)
        return response

    def start(self) -> None:
        """Make and read what the first request would wait for; what fails is tried again then."""
        _ = self._instrumented
        with suppress(Failure, KeyError, ValueError):
            if self.operation.uses_client_secret:
                cognito.client_secrets.get(self.settings)
            if self.operation.changes_password:
                cognito.password_policy(self.settings, Record(self.operation.id))

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process. The environment is read once."""
        return Settings.from_environment()

    @cached_property
    def _logger(self) -> Any:  # noqa: ANN401 - Powertools' class, whose methods return Any
        return make_logger()

    @cached_property
    def _metrics(self) -> Any:  # noqa: ANN401 - as above
        return make_metrics()

    @cached_property
    def _instrumented(self) -> Callable[[Event, "LambdaContext"], Any]:
        traced = tracer().capture_lambda_handler(capture_response=False, capture_error=False)
        counted = self._metrics.log_metrics(capture_cold_start_metric=True)
        logged = self._logger.inject_lambda_context(log_event=False)
        instrumented: Callable[[Event, LambdaContext], Any] = logged(traced(counted(self.handler)))
        return instrumented

    def handler(self, event: Event, context: "LambdaContext") -> Response:
        """Parse, identify the caller, carry out once, hide, record, pad."""
        started = time.monotonic()
        record = Record(self.operation.id)
        headers: dict[str, str] = {}
        try:
            response = self._respond(event, context, record, headers)
        except Failure as failure:
            response = _refuse(failure, record, headers)
        except Exception as error:  # noqa: BLE001 - a handler never raises
            # Neither the message nor the locals, because both can hold a password.
            record.stack = traceback.format_tb(error.__traceback__)
            crash = Failure(problems.INTERNAL_ERROR, cause=type(error).__name__)
            response = _refuse(crash, record, headers)
        record.duration = round(time.monotonic() - started, 3)
        self._report(record)
        if self.hidden_answer is not None:
            with suppress(KeyError, ValueError):  # the log line has it as the cause of a failure
                pad(started, self.settings.response_interval)
        return response

    def _respond(
        self, event: Event, context: "LambdaContext", record: Record, headers: dict[str, str]
    ) -> Response:
        caller = read_caller(event, context)
        record.request_id = caller.request_id
        record.source_ip, record.user_agent = caller.source_ip, caller.user_agent
        sent = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        headers |= cors_headers(sent, self.settings)
        body = read_body(event, sent)
        caller = identify(caller, event, sent, self.operation, self.settings)
        request = self.request_type(body, caller, self.settings, record)
        record.pool = self.settings.user_pool_id
        record.user = keyed_hash(self.settings.pseudonym_key, "audit", request.user)
        result = self._carry_out(request)
        record.outcome, record.status = SUCCESS, self.operation.success.status
        if result is not None:
            headers |= {"Content-Type": "application/json"}
        return _build(record.status, result, headers)

    def _carry_out(self, request: R) -> Body:
        record, answer = request.record, self.hidden_answer
        try:
            if self.operation.repeatable and request.caller.idempotency_key:
                return idempotency.run_once(request, partial(self.operate, request))
            return self.operate(request)
        except Failure as failure:
            record.cause, record.note = failure.cause, failure.note
            hidden = failure.cause in self.hidden_causes
            if answer is None or not hidden or self.settings.reveal_user_existence:
                raise
        record.hidden = True
        if isinstance(answer, Problem):
            raise Failure(answer)
        return answer(request)

    def _report(self, record: Record) -> None:
        """Make the log line, the metrics and the annotation of a request.

        Recording never fails a request: what cannot be made is left out.
        """
        with suppress(Exception):
            self._metrics.set_default_dimensions(stage=self.settings.stage)
        self._metrics.add_dimension(name="operation", value=record.operation)
        for name in record.metrics:
            with suppress(Exception):  # a cause may be longer than a metric's name
                self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        with suppress(Exception):
            tracer().put_annotation(key="outcome", value=record.outcome)
        if record.status >= 500:  # noqa: PLR2004 - HTTP's own number
            log = self._logger.error
        elif record.hidden or record.degradations:
            log = self._logger.warning
        else:
            log = self._logger.info
        with suppress(Exception):
            log(record.operation, extra={"members": record.members})


def _build(status: int, body: Body, headers: Mapping[str, str]) -> Response:
    return {
        "statusCode": status,
        "headers": {**problems.HEADERS, **headers},
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _refuse(failure: Failure, record: Record, headers: Mapping[str, str]) -> Response:
    problem = failure.problem
    record.outcome, record.status, record.problem = problem.code, problem.status, problem.slug
    record.cause = record.cause or failure.cause
    if failure.errors:
        record.rules = sorted({error.rule for error in failure.errors})
    document = problem.document(record.request_id, failure.errors)
    # Amplify reads this header first. CORS does not expose it, as the gateway sets its own names.
    return _build(
        problem.status, document, {**headers, **problem.headers, "x-amzn-errortype": problem.code}
    )
