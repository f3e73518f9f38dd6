"""Failures that are hidden from the caller still raise an alarm and appear on the dashboard."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from functions.operations import FUNCTIONS, Operation
from functions.records import HIDDEN, Degradation
from functions.settings import STAGES, Settings
from infra.packaging.bundle import ROOT
from infra.queries import ACCESS_QUERIES, QUERIES
from tests.infra.conftest import find_in, synthesize, synthesize_stage

deployed = pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "local"])

FOR_OPERATORS = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Logs::QueryDefinition",
}


class Metric(NamedTuple):
    """What an alarm or a graph names; a reference in it is the name of the resource."""

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


def period(alarm: Mapping[str, Any]) -> int:
    """Seconds."""
    parts = [query["MetricStat"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    (seconds,) = {part["Period"] for part in parts or [alarm]}
    return int(seconds)


def watched(alarm: Mapping[str, Any]) -> list[Metric]:
    """The metrics of one alarm, each of which must be a part of the sum."""
    if "Metrics" not in alarm:
        # A queue reports how much there is, and not how much there is more.
        gauge = alarm["Namespace"] == "AWS/SQS"
        assert alarm["Statistic"] == ("Maximum" if gauge else "Sum")
        found = [alarm]
    else:
        # CloudWatch takes one series from an alarm, and no SEARCH, which could give several.
        (expression,) = (q["Expression"] for q in alarm["Metrics"] if q.get("ReturnData", True))
        parts = [q for q in alarm["Metrics"] if "MetricStat" in q]
        assert expression == f"SUM([{', '.join(q['Id'] for q in parts)}])"
        assert {q["MetricStat"]["Stat"] for q in parts} == {"Sum"}
        found = [q["MetricStat"]["Metric"] for q in parts]
    return [
        Metric(
            metric["Namespace"],
            metric["MetricName"],
            {d["Name"]: text(d["Value"]) for d in metric["Dimensions"]},
        )
        for metric in found
    ]


def dashboard(template: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = find_in(template, "AWS::CloudWatch::Dashboard")
    body: dict[str, Any] = json.loads(text(found["DashboardBody"]))
    return body


def widgets(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [widget["properties"] for widget in dashboard(template)["widgets"]]


def shown(widget: Mapping[str, Any]) -> list[tuple[Metric, str]]:
    """The metrics of one graph with their statistics, without its expressions."""
    return [
        (
            Metric(row[0], row[1], dict(zip(row[2:-1:2], row[3:-1:2], strict=True))),
            row[-1].get("stat", widget.get("stat")),
        )
        for row in (
            line if isinstance(line[-1], dict) else [*line, {}] for line in widget["metrics"]
        )
        if len(row) > 1
    ]


def shown_anywhere(template: Mapping[str, Any]) -> list[tuple[Metric, str]]:
    return [each for widget in widgets(template) if "metrics" in widget for each in shown(widget)]


def searched(template: Mapping[str, Any]) -> list[tuple[str, set[str], dict[str, str]]]:
    """What each search of a graph asks for: a namespace, dimensions, and the values of some."""
    expressions = [
        line[0]["expression"]
        for widget in widgets(template)
        for line in widget.get("metrics", [])
        if isinstance(line[0], dict)
    ]
    pattern = r"SEARCH\('\{(\w+),([\w,]+)\}((?: \w+=\"\w+\")+)', 'Sum', \d+\)"
    return [
        (found[1], set(found[2].split(",")), dict(re.findall(r'(\w+)="(\w+)"', found[3])))
        for found in (re.fullmatch(pattern, expression) for expression in expressions)
        if found
    ]


ALARMING = [one for one in Degradation if one is not Degradation.SIGN_OUT_DELAYED]
"""The worker makes up for the other, and what it cannot do becomes a dead letter."""


def counted_in_logs(template: Mapping[str, Any]) -> list[Metric]:
    """The metrics that CloudWatch makes of the access log, with the dimensions that they get."""
    (stage,) = find_in(template, "AWS::ApiGateway::Stage")
    line = json.loads(stage["AccessLogSetting"]["Format"])
    return [
        Metric(
            made["MetricNamespace"],
            made["MetricName"],
            {one["Key"]: line[one["Value"].removeprefix("$.")] for one in made["Dimensions"]},
        )
        for found in find_in(template, "AWS::Logs::MetricFilter")
        for made in found["MetricTransformations"]
    ]


@deployed
def test_a_stage_counts_raises_and_shows_only_its_own(stage: str) -> None:
    template = synthesize_stage(stage)
    named = [metric for alarm in alarms(template).values() for metric in watched(alarm)]
    named += [metric for metric, _ in shown_anywhere(template)]
    stages = [m.dimensions["stage"] for m in named if not m.namespace.startswith("AWS/")]
    stages += [values["stage"] for *_, values in searched(template)]

    assert set(stages) == {stage}
    for function in find_in(template, "AWS::Lambda::Function"):
        assert function["Environment"]["Variables"]["STAGE"] == stage


@deployed
def test_the_gateways_refusals_are_watched(stage: str) -> None:
    template = synthesize_stage(stage)
    (too_many,) = watched(alarms(template)["TooManyRequests"])
    (client_errors,) = watched(alarms(template)["ClientErrors"])
    (found,) = find_in(template, "AWS::Logs::MetricFilter")
    (api_stage,) = find_in(template, "AWS::ApiGateway::Stage")

    assert client_errors.name == "4XXError"
    assert [too_many] == counted_in_logs(template)
    assert found["FilterPattern"] == '{ $.status = "429" }'
    assert json.loads(api_stage["AccessLogSetting"]["Format"])["status"] == "$context.status"
    assert found["LogGroupName"] in api_stage["AccessLogSetting"]["DestinationArn"]["Fn::Join"][1]


@deployed
def test_each_degradation_and_hidden_failure_has_an_alarm(stage: str) -> None:
    assert alarms(synthesize_stage(stage)).keys() >= {*ALARMING, HIDDEN}


@deployed
def test_an_incident_raises_its_alarm_at_once(stage: str) -> None:
    for degradation in ALARMING:
        alarm = alarms(synthesize_stage(stage))[degradation]

        assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)
        assert {metric.name for metric in watched(alarm)} == {degradation}


def test_thresholds_of_abuse_are_those_of_the_settings() -> None:
    template = synthesize(stage="prod", resetsPerMinute="7")
    follow = {"Hidden", "CodeMismatches", "LimitsHit", "Resets"}
    follow |= {"ClientErrors", "TooManyRequests"}
    before = alarms(synthesize_stage("prod"))

    for name, alarm in alarms(template).items():
        default = Settings.of_stage("prod").resets_per_minute
        expected = (default, 7) if name in follow else (before[name]["Threshold"],) * 2
        assert (before[name]["Threshold"], alarm["Threshold"]) == expected
        if name in follow:
            assert period(alarm) == 60
    assert follow < before.keys()


@deployed
def test_a_quiet_hour_raises_no_alarm_and_a_threshold_that_is_reached_does(stage: str) -> None:
    for alarm in alarms(synthesize_stage(stage)).values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


@deployed
def test_an_alarm_watches_every_operation_that_can_raise_it(stage: str) -> None:
    for name, alarm in alarms(synthesize_stage(stage)).items():
        metrics = [m for m in watched(alarm) if "operation" in m.dimensions]
        expected = {
            "Resets": {"reset_password"},
            "MessagesExpired": {"worker"},
            "TriggerFailures": set(FUNCTIONS) - {"password_policy"},
        }

        for one in {metric.name for metric in metrics}:
            operations = [m.dimensions["operation"] for m in metrics if m.name == one]
            assert sorted(operations) == sorted(expected.get(name, FUNCTIONS))


@deployed
def test_a_metric_of_aws_is_that_of_a_resource_of_the_stack(stage: str) -> None:
    template = synthesize_stage(stage)
    functions = {
        name: f"{name}:{alias['Properties']['Name']}"
        for alias in template["Resources"].values()
        if alias["Type"] == "AWS::Lambda::Alias"
        for name in [alias["Properties"]["FunctionName"]["Ref"]]
    }
    (api,) = find_in(template, "AWS::ApiGateway::RestApi")
    resources = {
        "AWS/ApiGateway": [{"ApiName": api["Name"]}],
        "AWS/Lambda": [{"FunctionName": f, "Resource": alias} for f, alias in functions.items()],
        "AWS/SQS": [
            {"QueueName": f"{name}.QueueName"}
            for name, resource in template["Resources"].items()
            if resource["Type"] == "AWS::SQS::Queue"
        ],
    }
    emitted = {
        "AWS/ApiGateway": {"4XXError", "5XXError"},
        "AWS/Lambda": {"Duration", "Errors", "Invocations", "Throttles"},
        "AWS/SQS": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
    }
    named = [m for alarm in alarms(template).values() for m in watched(alarm)]
    named += [metric for metric, _ in shown_anywhere(template)]

    for metric in named:
        if metric.namespace != "PasswordService":
            assert metric.name in emitted[metric.namespace]
            assert metric.dimensions in resources[metric.namespace]
        elif metric.name == "ColdStart":
            assert metric.dimensions["function_name"] in functions


@deployed
@pytest.mark.parametrize("operation", Operation, ids=lambda operation: operation.id)
def test_the_dashboard_has_a_row_for_each_operation(stage: str, operation: Operation) -> None:
    template = synthesize_stage(stage)
    (function,) = (
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
        and resource["Properties"]["Handler"] == f"functions.start.{operation.id}"
    )
    row = [w for w in widgets(template) if w["title"].startswith(f"{operation.id}:")]

    found = {
        (metric.name, statistic)
        for widget in row
        for metric, statistic in shown(widget)
        if function in metric.dimensions.values()
    }

    assert found == {
        *(("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"), ("ColdStart", "Sum")),
        *(("Duration", "p50"), ("Duration", "p99")),
    }
    values = {"operation": operation.id, "stage": stage}
    assert [value for *_, value in searched(template)].count(values) == 1


@deployed
def test_the_dashboard_shows_each_alarm_with_its_threshold(stage: str) -> None:
    template = synthesize_stage(stage)
    status, *graphs = widgets(template)

    assert len(status["alarms"]) == len(set(status["alarms"])) == len(alarms(template))
    for alarm in alarms(template).values():
        (graph,) = (
            graph
            for graph in graphs
            if "annotations" in graph
            and all(metric in [one for one, _ in shown(graph)] for metric in watched(alarm))
        )
        lines = [line["value"] for line in graph["annotations"]["horizontal"]]
        assert lines == [alarm["Threshold"]]


@deployed
def test_a_graph_sums_over_the_same_time_as_the_alarm_whatever_is_shown(stage: str) -> None:
    assert dashboard(synthesize_stage(stage))["periodOverride"] == "inherit"


def test_an_alarm_mails_to_the_address_by_a_topic_that_alarms_may_use() -> None:
    template = synthesize(stage="prod", alarmEmail="ops@example.com")
    (topic,) = (n for n, r in template["Resources"].items() if r["Type"] == "AWS::SNS::Topic")
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
    (own_key,) = (n for n, r in template["Resources"].items() if r["Type"] == "AWS::KMS::Key")
    (encrypted,) = find_in(template, "AWS::SNS::Topic")
    assert encrypted["KmsMasterKeyId"] == {"Fn::GetAtt": [own_key, "Arn"]}
    assert allowed == {
        '["kms:Decrypt", "kms:GenerateDataKey*"]': None,
        '"sns:Publish"': of_this_account,
    }
    for alarm in alarms(template).values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]


@deployed
def test_without_an_address_alarms_mail_nobody(stage: str) -> None:
    template = synthesize_stage(stage)

    assert find_in(template, "AWS::SNS::Topic") == []
    assert not any("AlarmActions" in alarm for alarm in alarms(template).values())


@deployed
def test_a_saved_query_asks_every_function_or_the_access_log(stage: str) -> None:
    template = synthesize_stage(stage)
    functions = {
        function["LoggingConfig"]["LogGroup"]["Ref"]
        for function in find_in(template, "AWS::Lambda::Function")
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


@pytest.mark.parametrize("query", [*QUERIES.values(), *ACCESS_QUERIES.values()])
def test_each_step_of_a_saved_query_is_a_command(query: str) -> None:
    for step in re.sub(r'/[^/]*/|"[^"]*"', "", query).split("|"):
        assert step.split()[0] in {"fields", "filter", "limit", "sort", "stats"}


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
    assert not [
        r for r in synthesize_stage("local")["Resources"].values() if r["Type"] in FOR_OPERATORS
    ]
    assert {r["Type"] for r in synthesize_stage("prod")["Resources"].values()} >= FOR_OPERATORS


OPERATIONS = (ROOT / "docs/operations.md").read_text()


def chapter(heading: str) -> dict[str, str]:
    """The sections of a chapter of `docs/operations.md` by their headings."""
    chapter = OPERATIONS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", chapter, re.MULTILINE | re.DOTALL))


def test_the_document_says_what_to_do_for_each_alarm() -> None:
    documented = chapter("Alarms")

    assert documented.keys() == alarms(synthesize_stage("prod")).keys()
    for name, alarm in alarms(synthesize_stage("prod")).items():
        assert alarm["AlarmDescription"].endswith(f"docs/operations.md#{name.lower()}")
        symptom, check, fix = re.findall(r"^- (\w+): (.*)$", documented[name], re.MULTILINE)
        assert (symptom[0], check[0], fix[0]) == ("Symptom", "Check", "Fix")
        assert set() < set(re.findall("`(.+?)`", check[1])) <= {*QUERIES, *ACCESS_QUERIES}


def test_the_document_lists_each_saved_query() -> None:
    table = OPERATIONS.partition("\n## Saved queries\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `([\w ]+)` \|", table, re.MULTILINE) == [*QUERIES, *ACCESS_QUERIES]
