"""The metrics of the functions: one per outcome, cause and degradation, for each operation."""

from typing import Final

from aws_lambda_powertools import Metrics

NAMESPACE: Final = "PasswordService"
SERVICE: Final = "password-service"


def make_metrics() -> Metrics:
    """Return a new collection of metrics."""
    return Metrics(service=SERVICE, namespace=NAMESPACE)
