"""Turn a function into an HTTP operation: a Lambda handler behind API Gateway.

Every request passes through `Endpoint.handle`. It never raises, because the gateway could not
explain the failure to the caller.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from functions import outcomes, problems, times
from functions.api.body import read_body
from functions.api.caller import NO_ADDRESS, identify, name_user, read_caller
from functions.aws import actions
from functions.aws.actions import Action
from functions.languages import choose_language
from functions.outcomes import ATTEMPTS_LIMIT
from functions.problems import Failure, FieldError, Problem
from functions.protection import breaches, idempotency
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Body, Request, Subject
from functions.settings import Runtime
from functions.times import Times
from functions.work.lambda_handler import LambdaHandler
from functions.work.scope import Scope

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

type Event = dict[str, Any]
type Response = dict[str, Any]


class Endpoint[R: Request](LambdaHandler):
    """The Lambda handler of one operation.

    `check` refuses a request by itself, and `operate` carries it out and returns the response's
    body. Only `operate` may ask Cognito about a user, after the attempt was counted. While user
    existence is hidden, a failure that an account can cause gets the `hidden_answer`, unless it is
    a verdict on the new password (OWASP ASVS 6.3.8). The operator still sees the cause.
    """

    def __init__(
        self,
        request_type: type[R],
        operate: Callable[[Scope, R], Body],
        settings: Runtime,
        time_limits: Times,
        *,
        check: Callable[[Scope, R], None] = lambda *_: None,
        hidden_answer: Problem | None = None,
    ) -> None:
        self.operation = request_type.operation
        self.request_type = request_type
        self.hidden_answer = hidden_answer
        self.check = check
        self.operate = operate
        self._hides = hidden_answer is not None and not settings.reveal_user_existence
        super().__init__(self.operation.id, settings, time_limits)

    def find_actions(self) -> Iterator[Action]:
        """Yield the actions of the operation."""
        return actions.of_operation(self.operation, self.settings)

    def prepare(self) -> None:
        """Also open the connection of the first breach lookup."""
        endpoint = self.settings.breach_endpoint if self.operation.changes_password else ""
        # A thread of its own, because nothing else can stop waiting for a name server. Reading the
        # certificates releases the GIL.
        connect = partial(copy_context().run, breaches.connect, endpoint)
        connecting = Thread(target=connect, daemon=True)
        if endpoint:
            connecting.start()
        super().prepare()
        if endpoint and not times.is_over():
            connecting.join(self._times.breaches)

    def handle(self, event: Event, context: "LambdaContext") -> Response:
        """Respond to one event: parse, identify, carry out once, hide, pad, record."""
        with self.record() as record:
            headers: Mapping[str, str] = {}
            try:
                sent = {n.lower(): str(value) for n, value in (event.get("headers") or {}).items()}
                headers = self._allow_origin(sent)
                response = self._respond(event, context, sent, record)
            except Failure as failure:
                shown = self._choose_problem(failure, record)
                record.fail(failure, shown, status=shown.status)
                errors = failure.errors if shown is failure.problem else ()
                response = _refuse(shown, record, errors)
            except Exception as error:  # noqa: BLE001 - a handler never raises
                shown = problems.INTERNAL_ERROR
                record.crash(error, shown, status=shown.status)
                response = _refuse(shown, record)
            response["headers"].update(headers)
        return response

    def _allow_origin(self, sent: Mapping[str, str]) -> dict[str, str]:
        """Return the headers that let a script of an allowed origin read the response."""
        headers, origin = {"Vary": "Origin"}, sent.get("origin")
        if origin in self.settings.allowed_origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = problems.EXPOSED
        return headers

    def _choose_problem(self, failure: Failure, record: Record) -> Problem:
        """Return what the caller may see of a failure."""
        outcome = failure.outcome
        if not outcome.of_account:
            return failure.problem
        if not outcome.is_known:
            record.degrade(Degradation.UNKNOWN_EXCEPTION)
        if self.hidden_answer is None or not self._hides or outcome.verdict:
            return failure.problem
        return self.hidden_answer

    def _respond(
        self, event: Event, context: "LambdaContext", sent: dict[str, str], record: Record
    ) -> Response:
        caller = read_caller(event, context)
        record.request_id, record.source_ip = caller.request_id, caller.source_ip
        record.user_agent = caller.user_agent
        caller = name_user(caller, event, self.settings, record)
        if not caller.source_ip:
            raise outcomes.NO_CALLER_ADDRESS.failure(NO_ADDRESS)
        content = read_body(event, sent) if self.operation.has_body else {}
        caller = identify(caller, event, sent, self.operation, self.settings)
        request = self.request_type(content, self.settings)
        locale = request.values.get("clientMetadata", {}).get("locale")
        language = choose_language(sent.get("accept-language", "") if locale is None else locale)
        caller = caller._replace(language=language)
        subject = Subject(caller.sub, request.values.get("username", ""))
        record.pool = self.settings.user_pool_id
        if self.operation.about_user:
            record.user = keyed_hash(self.settings.pseudonym_key, "audit", subject.key)
        scope = Scope(self.settings, record, caller, subject)
        body = self._run(scope, request)
        record.succeed(self.operation.status)
        response = _build(self.operation.status, "" if body is None else json.dumps(body))
        if body is not None:
            response["headers"]["Content-Type"] = "application/json"
        if seconds := self.operation.max_age:
            response["headers"]["Cache-Control"] = f"public, max-age={seconds}"
        return response

    def _run(self, scope: Scope, request: R) -> Body:
        """Carry out the operation, and count what a limit refused, unless it was a repeat."""
        try:
            return self._run_once(scope, request)
        except Failure as failure:
            if failure.outcome is ATTEMPTS_LIMIT:
                scope.limits.count_refusal(self.operation)
            raise

    def _run_once(self, scope: Scope, request: R) -> Body:
        """Carry out the operation, once for each user, content and `Idempotency-Key`."""
        key = scope.caller.idempotency_key
        if not (self.operation.repeatable and key):
            self._admit(scope, request)
            return self._operate(scope, request)
        return scope.idempotency.run_once(
            partial(self._operate, scope, request),
            "idempotency",
            *(self.operation.id, scope.subject.key, key),
            json.dumps(request.values, sort_keys=True),
            lifetime=idempotency.LIFETIME,
            keeps_unknown=True,
            admit=partial(self._admit, scope, request),
            withdraw=scope.limits.give_back,
        )

    def _admit(self, scope: Scope, request: R) -> None:
        """Refuse a request by itself or by its number, before Cognito is asked about its user."""
        self.check(scope, request)
        if self.operation.attempts_per_hour:
            scope.limits.count(self.operation)

    def _operate(self, scope: Scope, request: R) -> Body:
        """Carry out the operation, and pad every failure, because Cognito was asked about the user.

        Padding happens while an `Idempotency-Key` is still in progress. Otherwise a second request
        with the key could find out when Cognito answered.
        """
        try:
            return self.operate(scope, request)
        except Exception as error:
            if isinstance(error, Failure):
                self._count_failure(scope, error)
            if self._hides and self.settings.response_interval:
                # Until the next multiple of the interval, so that time tells nothing (ASVS 6.3.8).
                passed = times.monotonic() - scope.record.started
                scope.record.padding = -passed % self.settings.response_interval
                times.current().clock.sleep(scope.record.padding)
            raise

    def _count_failure(self, scope: Scope, failure: Failure) -> None:
        if failure.problem is problems.SERVICE_UNAVAILABLE and not scope.cognito.was_reached:
            scope.limits.give_back()
        elif failure.outcome.of_account and not self.operation.signed_in:
            scope.limits.count_failure(self.operation)


def _build(status: int, body: str) -> Response:
    response = {"statusCode": status, "headers": dict(problems.HEADERS), "body": body}
    return response | {"isBase64Encoded": False}


def _refuse(problem: Problem, record: Record, errors: Sequence[FieldError] = ()) -> Response:
    response = _build(problem.status, json.dumps(problem.document(record.request_id, errors)))
    # Amplify reads this header first. CORS does not expose it, as the gateway sets its own names.
    response["headers"].update(problem.headers | {"x-amzn-errortype": problem.code})
    return response
