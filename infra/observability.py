"""Alarms on what callers are not told."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from functions.metrics import ABSORBED, NAMESPACE, SERVICE, Incident
from functions.operations import Operation

ABSORBED_THRESHOLD: Final = 100
"""In five minutes: mistyped codes and unknown users are many on any day."""


class Observability(Construct):
    """An alarm for each incident, and one for an unusual number of absorbed failures."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_)
        thresholds = {str(incident): 1 for incident in Incident} | {ABSORBED: ABSORBED_THRESHOLD}
        for name, threshold in thresholds.items():
            cloudwatch.Alarm(
                self,
                name,
                metric=_over_all_operations(name),
                threshold=threshold,
                evaluation_periods=1,
                comparison_operator=(
                    cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
                ),
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )


def _over_all_operations(name: str) -> cloudwatch.IMetric:
    return cloudwatch.MathExpression(
        label=name,
        expression="SUM(METRICS())",
        using_metrics={
            operation.id: cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=name,
                dimensions_map={"operation": operation.id, "service": SERVICE},
                statistic=cloudwatch.Stats.SUM,
            )
            for operation in Operation
        },
        period=Duration.minutes(5),
    )
