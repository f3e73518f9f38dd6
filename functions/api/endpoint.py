"""Turn a function into an HTTP operation: a Lambda handler behind API Gateway.

Every request passes through `Endpoint.handler`. It never raises, because the gateway could not
explain the failure to the caller.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cached_property, partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from functions import problems
from functions.api.body import read_body
from functions.api.caller import identify, read_caller
from functions.api.cors import cors_headers
from functions.api.padding import pad
from functions.aws import clients, cognito
from functions.problems import Failure, Problem
from functions.protection import breaches, idempotency
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Body, Request
from functions.settings import Settings, names_read_by
from functions.telemetry.reporter import Reporter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

type Event = dict[str, Any]
type Response = dict[str, Any]


def endpoint[R: Request](
    request_type: type[R],
    *,
    hidden_answer: Problem | None = None,
    visible_causes: AbstractSet[str] = frozenset(),
) -> "Callable[[Callable[[R], Body]], Endpoint[R]]":
    """Decorate the function that carries out an operation and returns the response's body.

    While user existence is hidden, every failure that may depend on the account gets the
    `hidden_answer`, except for the `visible_causes`, which only the new password has (OWASP ASVS
    6.3.8). The operator still sees the cause.
    """
    return lambda operate: Endpoint(operate, request_type, hidden_answer, visible_causes)


class Endpoint[R: Request]:
    """The Lambda handler of one operation."""

    def __init__(
        self,
        operate: Callable[[R], Body],
        request_type: type[R],
        hidden_answer: Problem | None,
        visible_causes: AbstractSet[str],
    ) -> None:
        self.operation = request_type.operation
        self.operate = operate
        self.request_type = request_type
        self.hidden_answer = hidden_answer
        self.visible_causes = visible_causes

    def __call__(self, event: Event, context: "LambdaContext") -> Response:
        """Respond to one event of API Gateway."""
        response: Response = self._instrumented(event, context)
        return response

    def start(self) -> None:
        """Prepare what the first request would wait for. A failure is retried by that request."""
        _ = self._instrumented
        with suppress(Exception):
            settings, operation = self.settings, self.operation
            revealed = settings.reveal_user_existence
            checks_breaches = operation.changes_password and settings.breach_endpoint
            # Reading the certificates releases the GIL, so a thread does it meanwhile.
            certificates = Thread(target=breaches.make_context)
            if checks_breaches:
                certificates.start()
            if operation.repeatable or (operation.attempts_per_hour and settings.limits):
                clients.dynamodb()
            announces = operation.changes_password and (
                settings.event_bus_name or settings.mail_from
            )
            if announces or (operation.queued and not revealed):
                clients.sqs()
            cognito.prepare(settings, operation.actions(revealed=revealed))
            if checks_breaches:
                certificates.join()

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process. The environment is read once."""
        return Settings.read(os.environ, names_read_by(self.operation.id))

    @cached_property
    def _reporter(self) -> Reporter:
        return Reporter(lambda: self.settings.stage)

    @cached_property
    def _instrumented(self) -> Callable[[Event, "LambdaContext"], Any]:
        return self._reporter.instrument(self.handler)

    def handler(self, event: Event, context: "LambdaContext") -> Response:
        """Respond to one event: parse, identify, carry out once, hide, pad, record."""
        record = Record(self.operation.id)
        clients.deadline.set(record.started + clients.RETRY_TIME)
        headers: dict[str, str] = {}
        try:
            response = self._respond(event, context, record, headers)
        except Failure as failure:
            response = _refuse(self._hide(failure, record), record, headers)
        except Exception as error:  # noqa: BLE001 - a handler never raises
            record.crash(error)
            response = _refuse(Failure(problems.INTERNAL_ERROR), record, headers)
        record.duration = round(time.monotonic() - record.started - record.padding, 3)
        self._reporter.report(record)
        return response

    @property
    def _hides(self) -> bool:
        return self.hidden_answer is not None and not self.settings.reveal_user_existence

    def _hide(self, failure: Failure, record: Record) -> Failure:
        """Return what the caller may see of a failure."""
        if not failure.account_dependent:
            return failure
        if not problems.is_known(failure.cause):
            record.degrade(Degradation.UNKNOWN_EXCEPTION)
        if self.hidden_answer is None or not self._hides or failure.cause in self.visible_causes:
            return failure
        record.hidden, record.cause, record.note = True, failure.cause, failure.note
        return Failure(self.hidden_answer)

    def _respond(
        self, event: Event, context: "LambdaContext", record: Record, headers: dict[str, str]
    ) -> Response:
        caller = read_caller(event, context)
        record.request_id = caller.request_id
        record.source_ip, record.user_agent = caller.source_ip, caller.user_agent
        sent = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
        headers |= cors_headers(sent, self.settings)
        body = read_body(event, sent) if self.operation.has_body else {}
        caller = identify(caller, event, sent, self.operation, self.settings)
        request = self.request_type(body, caller, self.settings, record)
        record.pool = self.settings.user_pool_id
        if self.operation.about_user:
            record.user = keyed_hash(self.settings.pseudonym_key, "audit", request.user)
        if self.operation.repeatable and caller.idempotency_key:
            result = idempotency.run_once(request, partial(self._operate, request))
        else:
            result = self._operate(request)
        success = self.operation.success
        record.succeed(success.status)
        if result is not None:
            headers |= {"Content-Type": "application/json"}
        if success.max_age:
            headers |= {"Cache-Control": f"public, max-age={success.max_age}"}
        return _build(success.status, result, headers)

    def _operate(self, request: R) -> Body:
        """Carry out the operation, and pad a refusal by Cognito, whose time depends on the account.

        Padding happens while an `Idempotency-Key` is still in progress. Otherwise a second request
        with the key could find out when Cognito answered.
        """
        try:
            return self.operate(request)
        except Failure as failure:
            if self._hides and failure.action == self.operation.action:
                interval = self.settings.response_interval
                request.record.padding = pad(request.record.started, interval)
            raise


def _build(status: int, body: Body, headers: Mapping[str, str]) -> Response:
    return {
        "statusCode": status,
        "headers": {**problems.HEADERS, **headers},
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def _refuse(failure: Failure, record: Record, headers: Mapping[str, str]) -> Response:
    problem = failure.problem
    record.fail(failure, problem.status)
    document = problem.document(record.request_id, failure.errors)
    # Amplify reads this header first. CORS does not expose it, as the gateway sets its own names.
    return _build(
        problem.status, document, {**headers, **problem.headers, "x-amzn-errortype": problem.code}
    )
