"""Report to the operator: one log line per record, metrics, and a trace."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from functions.operations import LOG_MESSAGES
from functions.records import NAMESPACE, SERVICE, Record
from functions.telemetry.logs import make_logger
from functions.telemetry.traces import tracer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

type Handler = Callable[[dict[str, Any], "LambdaContext"], Any]


class Reporter:
    """Powertools' logger, metrics and tracer of one function. Each metric has the stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._logger: Any = make_logger()
        self._metrics: Any = AmazonCloudWatchEMFProvider(service=SERVICE, namespace=NAMESPACE)

    def instrument(self, handler: Handler) -> Handler:
        """Return a handler that also flushes metrics, sends the trace and counts cold starts."""
        traced = tracer().capture_lambda_handler(capture_response=False, capture_error=False)
        counted = self._metrics.log_metrics(capture_cold_start_metric=True)
        logged = self._logger.inject_lambda_context(log_event=False)
        instrumented: Handler = logged(traced(counted(handler)))
        return instrumented

    def report(self, record: Record) -> None:
        """Make the log line, the metrics and the annotation of a record.

        Recording never fails a request: what cannot be made is left out.
        """
        with suppress(Exception):
            self._metrics.set_default_dimensions(stage=self._stage)
        self._metrics.add_metadata(key="operation", value=record.operation)
        for name in record.metrics:
            with suppress(Exception):  # a cause may be longer than a metric's name
                self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        with suppress(Exception):
            tracer().put_annotation(key="outcome", value=record.outcome)
        with suppress(Exception):
            message = LOG_MESSAGES[record.operation]
            self._logger.log(record.level, message, extra={"members": record.members})
