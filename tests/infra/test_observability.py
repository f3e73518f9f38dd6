"""Hidden from the caller, never from the operator: what is absorbed raises an alarm."""

from typing import Any

import pytest

from functions.metrics import Incident
from functions.operations import Operation
from infra.settings import STAGES
from tests.infra.conftest import find_in, synthesize_stage

deployed = pytest.mark.parametrize("stage", sorted(STAGES.keys() - {"local"}))


def watched(stage: str) -> dict[str, dict[str, Any]]:
    """The alarms by the name of their metric."""
    return {
        query["MetricStat"]["Metric"]["MetricName"]: alarm
        for alarm in find_in(synthesize_stage(stage), "AWS::CloudWatch::Alarm")
        for query in alarm["Metrics"]
        if "MetricStat" in query
    }


@deployed
def test_each_incident_and_what_is_absorbed_has_an_alarm(stage: str) -> None:
    assert watched(stage).keys() == {*Incident, "Absorbed"}


@deployed
def test_an_incident_raises_its_alarm_at_once(stage: str) -> None:
    for incident in Incident:
        assert watched(stage)[incident]["Threshold"] == 1


@deployed
def test_an_alarm_watches_every_operation_in_the_metrics_own_dimensions(stage: str) -> None:
    for alarm in watched(stage).values():
        metrics = [q["MetricStat"]["Metric"] for q in alarm["Metrics"] if "MetricStat" in q]

        assert {metric["Namespace"] for metric in metrics} == {"PasswordService"}
        dimensions = [{d["Name"]: d["Value"] for d in metric["Dimensions"]} for metric in metrics]
        assert sorted(d["operation"] for d in dimensions) == sorted(o.id for o in Operation)
        assert {d["service"] for d in dimensions} == {"password-service"}
