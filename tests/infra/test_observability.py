"""Failures that are hidden from the caller still raise an alarm and appear on the dashboard."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from functions.operations import FUNCTIONS
from functions.records import NAMESPACE, SERVICE
from infra.observability import FEW
from infra.queries import ACCESS_QUERIES, QUERIES
from infra.settings import STAGES, Deployment
from tests.infra.conftest import (
    MAILS,
    OTHER_PROD,
    find_in,
    functions_in,
    name_of,
    synthesize,
    synthesize_stage,
)
from tests.support import ROOT

deployed = pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "local"])

STRANGERS = {"stage": "prod", "mailUnknownAddresses": "true"}


USAGE = {"Service": "Cognito user pool", "Type": "API", "Resource": "UserAccountRecovery"}
"""From Cognito's guide: https://docs.aws.amazon.com/cognito/latest/developerguide/metrics-for-cognito-user-pools.html"""


class Metric(NamedTuple):
    """A metric of an alarm or a graph; a reference in it is the name of the resource."""

    namespace: str
    name: str
    dimensions: dict[str, str]


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    (function, arguments), *_ = value.items()
    if function == "Fn::Join":
        return "".join(map(text, arguments[1]))
    if function == "Fn::GetAtt":
        return ".".join(arguments) if arguments[1] == "QueueName" else str(arguments[0])
    return str(arguments)


def alarm_name(logical_id: str) -> str:
    """In the code, without what the CDK adds."""
    return logical_id.removeprefix("Observability")[:-8]


def alarms(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        alarm_name(name): resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def parts(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The metrics whose sum an alarm compares, or its only one."""
    return [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]


def period(alarm: Mapping[str, Any]) -> int:
    """Seconds."""
    (seconds,) = {part["Period"] for part in parts(alarm) or [dict(alarm)]}
    return int(seconds)


def watched(alarm: Mapping[str, Any]) -> list[Metric]:
    return [
        Metric(
            metric["Namespace"],
            metric["MetricName"],
            {d["Name"]: text(d["Value"]) for d in metric["Dimensions"]},
        )
        for metric in [part["Metric"] for part in parts(alarm)] or [dict(alarm)]
    ]


def widgets(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    (found,) = find_in(template, "AWS::CloudWatch::Dashboard")
    body = json.loads(text(found["DashboardBody"]))
    # A graph sums over the same time as the alarm, however long a time it shows.
    assert body["periodOverride"] == "inherit"
    return [widget["properties"] for widget in body["widgets"]]


def shown(widget: Mapping[str, Any]) -> list[Metric]:
    """The metrics of one graph, without its expressions."""
    names = ([one for one in line if isinstance(one, str)] for line in widget.get("metrics", ()))
    return [
        Metric(name[0], name[1], dict(zip(name[2::2], name[3::2], strict=True)))
        for name in names
        if name
    ]


def named(template: Mapping[str, Any]) -> list[Metric]:
    """The metrics of all alarms and graphs."""
    in_alarms = [metric for alarm in alarms(template).values() for metric in watched(alarm)]
    return in_alarms + [metric for widget in widgets(template) for metric in shown(widget)]


def searched(template: Mapping[str, Any]) -> list[tuple[str, set[str], dict[str, str]]]:
    """The searches of the graphs: a namespace, dimensions, and the values of some."""
    text = json.dumps(widgets(template)).replace('\\\\"', '"').replace('\\"', '"')
    found = re.findall(r"SEARCH\('\{(\w+),([\w,]+)\}((?: \w+=\"\w+\")+)', 'Sum', \d+\)", text)
    return [
        (space, set(names.split(",")), dict(re.findall(r'(\w+)="(\w+)"', values)))
        for space, names, values in found
    ]


@deployed
def test_a_stage_counts_raises_and_shows_only_its_own(stage: str) -> None:
    template = synthesize_stage(stage)
    own = [metric for metric in named(template) if metric.namespace == NAMESPACE]
    of_access_log, counted = {"stage": stage}, {"service": SERVICE, "stage": stage}
    values = [values for *_, values in searched(template)]

    assert values == [of_access_log]
    for metric in own:
        if "function_name" not in metric.dimensions:  # which is unique
            expected = of_access_log if metric.name == "TooManyRequests" else counted
            assert metric.dimensions == expected
    for function in functions_in(template):
        assert function["Environment"]["Variables"]["STAGE"] == stage


def test_the_gateways_refusals_are_watched() -> None:
    template = synthesize_stage("prod")
    (too_many,) = watched(alarms(template)["TooManyRequests"])
    (client_errors,) = watched(alarms(template)["ClientErrors"])
    (found,) = find_in(template, "AWS::Logs::MetricFilter")
    (made,) = found["MetricTransformations"]
    (api_stage,) = find_in(template, "AWS::ApiGateway::Stage")
    line = json.loads(api_stage["AccessLogSetting"]["Format"])

    assert client_errors.name == "4XXError"
    assert (made["MetricNamespace"], made["MetricName"]) == too_many[:2]
    assert made["Dimensions"] == [{"Key": "stage", "Value": "$.stage"}]
    assert too_many.dimensions == {"stage": line["stage"]}
    assert found["FilterPattern"] == '{ $.status = "429" }'
    assert line["status"] == "$context.status"
    assert found["LogGroupName"] in api_stage["AccessLogSetting"]["DestinationArn"]["Fn::Join"][1]


@deployed
def test_an_alarm_is_about_the_sum_of_what_it_watches(stage: str) -> None:
    """CloudWatch takes one series from an alarm, and no SEARCH, which could give several."""
    for alarm in alarms(synthesize_stage(stage)).values():
        if added := parts(alarm):
            (sum_,) = (one["Expression"] for one in alarm["Metrics"] if "Expression" in one)
            ids = [one["Id"] for one in alarm["Metrics"] if "MetricStat" in one]
            assert sum_ == f"SUM([{', '.join(ids)}])"
            assert {part["Stat"] for part in added} == {"Sum"}
        else:
            # A queue reports how much there is, and not how much there is more; a duration is one.
            gauge = alarm["Namespace"] == "AWS/SQS" or alarm["MetricName"] == "Duration"
            assert alarm["Statistic"] == ("Maximum" if gauge else "Sum")
        # A quiet hour raises no alarm, and a threshold that is reached does.
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["EvaluationPeriods"] == 1


def test_prod_watches_everything_and_dev_what_stops_the_service() -> None:
    """CloudWatch bills each metric of an alarm: one of each function, and 24."""
    prod, dev = (alarms(synthesize_stage(stage)) for stage in ("prod", "dev"))

    assert sum(len(watched(alarm)) for alarm in prod.values()) <= len(FUNCTIONS) + 24
    assert dev.keys() == set(FEW) < prod.keys()
    assert alarms(synthesize(stage="dev", allAlarms="true")).keys() >= prod.keys() - {"MailsLost"}
    # Anyone can send a wrong secret, which must not hide another degradation.
    assert "WrongServerSecret" not in prod
    assert "WrongServerSecret" in alarms(synthesize(**MAILS, serverCallers="web", allAlarms="true"))
    # Nothing else tells that Lambda started no trigger.
    throttled = [one for one in watched(prod["FunctionErrors"]) if one.name == "Throttles"]
    assert ["CustomMessage" in one.dimensions["FunctionName"] for one in throttled] == [True]
    (degraded,) = watched(prod["Degradations"])
    assert (degraded.name, prod["Degradations"]["Threshold"]) == ("Degraded", 1)
    (resets,) = watched(prod["Resets"])
    assert resets.name == "Invocations"
    assert "ResetPassword" in resets.dimensions["FunctionName"]


def test_thresholds_of_abuse_are_those_of_the_settings() -> None:
    follow = {"Hidden", "CodeMismatches", "LimitsHit", "Resets"}
    follow |= {"ClientErrors", "TooManyRequests"}
    before = alarms(synthesize_stage("prod"))

    for name, alarm in alarms(synthesize(**OTHER_PROD)).items():
        default = Deployment.of_stage("prod").resets_per_minute
        expected = (default, 7) if name in follow else (before[name]["Threshold"],) * 2
        assert (before[name]["Threshold"], alarm["Threshold"]) == expected
        assert name not in follow or period(alarm) == 60
    assert follow < before.keys()


@deployed
def test_a_metric_of_aws_is_that_of_a_resource_of_the_stack(stage: str) -> None:
    template = synthesize_stage(stage)
    aliases = find_in(template, "AWS::Lambda::Alias")
    functions = {one["FunctionName"]["Ref"]: one["Name"] for one in aliases}
    (api,) = find_in(template, "AWS::ApiGateway::RestApi")
    queues, sets = (
        [name for name, resource in template["Resources"].items() if resource["Type"] == kind]
        for kind in ("AWS::SQS::Queue", "AWS::SES::ConfigurationSet")
    )
    resources: dict[str, list[dict[str, str]]] = {
        "AWS/ApiGateway": [{"ApiName": api["Name"]}],
        "AWS/Lambda": [
            {"FunctionName": name, "Resource": f"{name}:{alias}"}
            for name, alias in functions.items()
        ],
        "AWS/SES": [{"ses:configuration-set": name} for name in sets],
        "AWS/SQS": [{"QueueName": f"{name}.QueueName"} for name in queues],
        # It is of the account. Cognito's guide lists the dimension Class, and says it is not used.
        "AWS/Usage": [USAGE, USAGE | {"Class": "None"}],
    }
    emitted = {
        "AWS/ApiGateway": {"4XXError", "5XXError"},
        "AWS/Lambda": {"Duration", "Errors", "Invocations", "Throttles"},
        "AWS/SES": {"Bounce", "Complaint"},
        "AWS/SQS": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
        "AWS/Usage": {"CallCount", "ThrottleCount"},
    }

    for metric in named(template):
        if metric.namespace != "PasswordService":
            assert metric.name in emitted[metric.namespace]
            assert metric.dimensions in resources[metric.namespace]
        elif metric.name == "ColdStart":
            assert metric.dimensions["function_name"] in functions


@deployed
def test_the_dashboard_has_a_row_for_each_function_and_each_alarm_with_its_threshold(
    stage: str,
) -> None:
    template = synthesize_stage(stage)
    status, *graphs = widgets(template)

    for name in FUNCTIONS:
        row = [graph for graph in graphs if graph["title"].startswith(f"{name}:")]
        metrics = [metric.name for graph in row for metric in shown(graph)]
        assert sorted(metrics) == sorted(
            [*("Invocations", "Errors", "Throttles", "ColdStart"), *("Duration", "Duration")]
        )
    assert len(status["alarms"]) == len(set(status["alarms"])) == len(alarms(template))
    for alarm in alarms(template).values():
        (graph,) = (
            graph
            for graph in graphs
            if "annotations" in graph and all(one in shown(graph) for one in watched(alarm))
        )
        lines = [line["value"] for line in graph["annotations"]["horizontal"]]
        assert lines == [alarm["Threshold"]]


def test_an_alarm_mails_to_the_address_by_a_topic_that_alarms_may_use() -> None:
    template = synthesize(**OTHER_PROD)
    topic, own_key = name_of(template, "AWS::SNS::Topic"), name_of(template, "AWS::KMS::Key")
    (subscription,) = find_in(template, "AWS::SNS::Subscription")
    (key,) = find_in(template, "AWS::KMS::Key")
    (policy,) = find_in(template, "AWS::SNS::TopicPolicy")
    allowed = {
        json.dumps(statement["Action"]): statement.get("Condition")
        for document in (key["KeyPolicy"], policy["PolicyDocument"])
        for statement in document["Statement"]
        if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    }
    of_this_account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
    assert subscription["TopicArn"] == {"Ref": topic}
    # CloudWatch may not use the key that SNS has, `alias/aws/sns`.
    (encrypted,) = find_in(template, "AWS::SNS::Topic")
    assert encrypted["KmsMasterKeyId"] == {"Fn::GetAtt": [own_key, "Arn"]}
    assert allowed == {
        '["kms:Decrypt", "kms:GenerateDataKey*"]': None,
        '"sns:Publish"': of_this_account,
    }
    for alarm in alarms(template).values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]
    for stage in ("dev", "prod"):  # which name no address
        assert find_in(synthesize_stage(stage), "AWS::SNS::Topic") == []
        assert "AlarmActions" not in json.dumps(alarms(synthesize_stage(stage)))


@pytest.mark.parametrize(
    ("settings", "threshold"), [({"stage": "prod"}, 1), (STRANGERS, 3), ({"stage": "dev"}, None)]
)
def test_a_mail_that_ses_accepts_and_nobody_gets_raises_an_alarm(
    settings: dict[str, str], threshold: int | None
) -> None:
    """SES accepts a mail to an address that its suppression list has, and sends none."""
    found = alarms(synthesize(**settings))

    assert ("MailsLost" in found) == bool(threshold)
    if threshold:
        counted = {metric.name for metric in watched(found["MailsLost"])}
        assert (found["MailsLost"]["Threshold"], counted) == (
            threshold,
            {"Bounce", "Complaint"},
        )


def test_cognitos_own_throttling_raises_an_alarm_and_its_calls_are_shown_beside_the_quota() -> None:
    template = synthesize_stage("prod")
    watching = watched(alarms(template)["CognitoThrottles"])
    (calls,) = (
        widget
        for widget in widgets(template)
        if "CallCount" in {metric.name for metric in shown(widget)}
    )
    expressions = [
        one["expression"] for line in calls["metrics"] for one in line if "expression" in one
    ]

    assert {metric.name for metric in watching} == {"ThrottleCount"}
    assert [metric.dimensions for metric in watching] == [USAGE, USAGE | {"Class": "None"}]
    assert [line["value"] for line in calls["annotations"]["horizontal"]] == [30]
    # The sum of a period, in calls a second. A graph without one has 300 seconds.
    assert expressions == ["SUM([calls0, calls1]) / 300"]
    assert "period" not in json.dumps(calls["metrics"])


@deployed
def test_a_saved_query_asks_every_function_or_the_access_log(stage: str) -> None:
    template = synthesize_stage(stage)
    functions = {
        function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions_in(template)
    }
    (api_stage,) = find_in(template, "AWS::ApiGateway::Stage")
    access = api_stage["AccessLogSetting"]["DestinationArn"]["Fn::Join"][1][-1]["Ref"]
    asked = {
        query["Name"]: {group["Ref"] for group in query["LogGroupNames"]}
        for query in find_in(template, "AWS::Logs::QueryDefinition")
    }

    folder = f"password-service-{stage}"
    assert asked == {
        **{f"{folder}/{name}": functions for name in QUERIES},
        **{f"{folder}/{name}": {access} for name in ACCESS_QUERIES},
    }


def test_a_crash_is_found_and_a_start_is_none() -> None:
    (crash,) = re.findall("@message like /(.*)/", QUERIES["crashes"])

    for line in (
        "2026-11-24T14:00:00.000Z 6b2c Task timed out after 28.00 seconds",
        "RequestId: 6b2c Error: Runtime exited with error: signal: killed",
        "INIT_REPORT Init Duration: 10000.00 ms Phase: invoke Error Type: Runtime.ExitError",
        "[ERROR] Runtime.ImportModuleError: Unable to import module",
    ):
        assert re.search(crash, line)
    version = "arn:aws:lambda:eu-west-1::runtime:0a1b"
    start = f"INIT_START Runtime Version: python:3.13.v50 Runtime Version ARN: {version}"
    assert not re.search(crash, start)


def test_the_emulator_is_spared_what_it_does_not_have() -> None:
    for kind in ("CloudWatch::Alarm", "CloudWatch::Dashboard", "Logs::QueryDefinition"):
        assert find_in(synthesize_stage("local"), f"AWS::{kind}") == []


OPERATIONS = (ROOT / "docs/operations.md").read_text()


def test_the_document_says_what_to_do_for_each_alarm() -> None:
    chapter = OPERATIONS.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    documented = re.findall(r"^### (\w+)\n+- Symptom: ", chapter, re.MULTILINE)

    everything = synthesize(stage="prod", mailFrom="a@example.com", serverCallers="web")
    assert set(documented) == alarms(everything).keys()
