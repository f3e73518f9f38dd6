"""The metrics of the functions: one per outcome, cause and degradation, for each operation."""

from typing import TYPE_CHECKING

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from functions.records import NAMESPACE, SERVICE

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class Metrics(AmazonCloudWatchEMFProvider):
    """Powertools' metrics, whose cold starts have the default dimensions too."""

    def add_cold_start_metric(self, context: "LambdaContext") -> None:
        """Count a cold start of the function."""
        dimensions = {"function_name": context.function_name, "service": SERVICE}
        with single_metric(
            name="ColdStart",
            unit=MetricUnit.Count,
            value=1,
            namespace=NAMESPACE,
            default_dimensions=self.default_dimensions | dimensions,
        ):
            pass
