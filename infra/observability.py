"""Alarms, alarm mails, and a dashboard."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from functions import problems
from functions.operations import CUSTOM_MESSAGE, Operation
from functions.outcomes import ATTEMPTS_LIMIT, DAILY_MAIL_LIMIT, MESSAGE_EXPIRED, USER_GONE
from functions.records import (
    CRASH,
    DEGRADED,
    HIDDEN,
    NAMESPACE,
    REPEATED_FAILURES,
    SERVICE,
    Degradation,
)
from infra.api import Api
from infra.mails import Mails
from infra.queue import Queue
from infra.settings import Deployment

FAULT: Final = 3
"""Failures that raise an alarm. Fewer may be one lost connection or one dead mailbox."""
PERIOD: Final = 5
"""Minutes. Long enough to notice a fault although few people reset a password."""

SLOW: Final = 2500
"""Milliseconds that the trigger takes. Usually it is a few, and Cognito waits for 5,000."""
QUOTA: Final = 30
"""Calls a second that Cognito allows an account for resets, confirmations and updates."""

OLD_MESSAGE: Final = 60
"""Seconds that a message waits for the worker. Usually it is less than one."""

FEW: Final = ("ServerErrors", "FunctionErrors", "Crashes", "DeadLetters")
"""The alarms of a stage that has not all of them: requests and tasks that nobody carried out."""


class Watch(NamedTuple):
    """Metrics that are summed over `period` minutes, and the sum that raises the alarm."""

    metrics: Sequence[cloudwatch.Metric]
    threshold: int
    period: int = PERIOD
    statistic: str = cloudwatch.Stats.SUM


class Observability(Construct):
    """An alarm for each kind of failure and abuse, and a dashboard that shows why.

    CloudWatch bills each metric that an alarm watches. So the service counts what happens without
    regard to the function, and one alarm watches all degradations; the log lines tell them apart.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Deployment,
        api: Api,
        functions: Mapping[str, lambda_.Alias],
        queue: Queue,
        mails: Mails | None,
        alarm_topic: sns.ITopic | None,
    ) -> None:
        super().__init__(scope, id_)
        self._stage = settings.stage
        failures = {
            "ServerErrors": Watch([api.rest_api.metric_server_error()], FAULT),
            # A handler never raises, so this one was killed, or could not start.
            "FunctionErrors": Watch([*_failures(functions)], 1),
            # A version that crashes, although its function never raises.
            "Crashes": Watch(self._count(CRASH), 1),
        }
        # On an ordinary day fewer codes are wrong, and fewer requests are refused, than people ask
        # for a code.
        most = settings.resets_per_minute
        resets = functions[Operation.RESET_PASSWORD.id].metric_invocations()
        abuse = {
            "Resets": Watch([resets], most, 1),
            "CodeMismatches": Watch(self._count(problems.CODE_MISMATCH.code), most, 1),
            "LimitsHit": Watch(self._count(ATTEMPTS_LIMIT.cause), most, 1),
            "RepeatedFailures": Watch(self._count(REPEATED_FAILURES), 1),
            "ClientErrors": Watch([api.rest_api.metric_client_error()], most, 1),
            "TooManyRequests": Watch([self._add_too_many_requests(api.access_log)], most, 1),
        }
        if settings.server_callers:
            wrong = self._count(Degradation.WRONG_SERVER)
            abuse["WrongServerSecret"] = Watch(wrong, 1)
        hidden = {HIDDEN: Watch(self._count(HIDDEN), most, 1)}
        triggers = problems.TRIGGER_FAILED.code, problems.TRIGGER_RESPONSE_INVALID.code
        undelivered = {
            "DeliveryFailures": Watch(self._count(problems.CODE_NOT_DELIVERED.code), FAULT),
            "TriggerFailures": Watch(self._count(*triggers), FAULT),
        }
        dead = queue.dead_letters.metric_approximate_number_of_messages_visible()
        age = queue.queue.metric_approximate_age_of_oldest_message()
        queued = {
            "DeadLetters": Watch([dead], 1, statistic=cloudwatch.Stats.MAXIMUM),
            "OldestMessage": Watch([age], OLD_MESSAGE, statistic=cloudwatch.Stats.MAXIMUM),
            "MessagesExpired": Watch(self._count(MESSAGE_EXPIRED.cause), 1),
            "DailyMailLimit": Watch(self._count(DAILY_MAIL_LIMIT.cause), 1),
            "UserGone": Watch(self._count(USER_GONE.cause), 1),
        }
        if trigger := functions.get(CUSTOM_MESSAGE):
            slowest = cloudwatch.Stats.MAXIMUM
            queued["CodeMailsSlow"] = Watch([trigger.metric_duration()], SLOW, statistic=slowest)
        if mails:
            # With this setting, anyone can have a mail sent to an address that does not exist.
            lost = FAULT if settings.mail_unknown_addresses else 1
            queued["MailsLost"] = Watch(mails.lost, lost)
        # The metric counts all apps in the account, because they share the quota.
        cognito = {"CognitoThrottles": Watch(_usage("ThrottleCount"), 1)}
        degradations = {"Degradations": Watch(self._count(DEGRADED), 1)}
        watches = failures | abuse | hidden | undelivered | queued | cognito | degradations
        kept = watches if settings.all_alarms else FEW
        self.alarms = {name: self._add_alarm(name, watches[name]) for name in kept}
        """Every alarm by its name."""
        rolled_back = ("ServerErrors", "FunctionErrors", "Crashes")
        self.of_deployments = [self.alarms[name] for name in rolled_back]
        """Those that a bad version of a function raises. An outage of Cognito raises the first."""
        mailed = [self._add_topic(settings)] if settings.alarm_email else []
        for topic in (*mailed, *([alarm_topic] if alarm_topic else [])):
            for alarm in self.alarms.values():
                alarm.add_alarm_action(actions.SnsAction(topic))
        alarms = [*self.alarms.values()]
        status = cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=24)
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.days(1),
            # Otherwise a longer time has longer sums, but the same thresholds.
            period_override=cloudwatch.PeriodOverride.INHERIT,
            widgets=[
                [status],
                [self._show_outcomes()],
                *(self._row(name, alias) for name, alias in functions.items()),
                [_graph(name, {name: watch}) for name, watch in failures.items()],
                [_graph(name, {name: watch}) for name, watch in abuse.items()],
                [
                    _graph(HIDDEN, hidden),
                    _graph("Codes not delivered, triggers that failed", undelivered),
                    _graph("Degradations", degradations),
                ],
                [_graph(name, {name: watch}) for name, watch in queued.items()],
                [
                    *(_graph(name, {name: watch}) for name, watch in cognito.items()),
                    cloudwatch.GraphWidget(
                        title="Cognito: calls a second for passwords, of the whole account",
                        width=16,
                        left=[
                            cloudwatch.MathExpression(
                                label="calls a second",
                                expression=f"SUM([calls0, calls1]) / {PERIOD * 60}",
                                using_metrics={
                                    f"calls{n}": metric.with_(statistic=cloudwatch.Stats.SUM)
                                    for n, metric in enumerate(_usage("CallCount"))
                                },
                                period=Duration.minutes(PERIOD),
                            )
                        ],
                        left_annotations=[
                            cloudwatch.HorizontalAnnotation(value=QUOTA, label="quota")
                        ],
                    ),
                ],
            ],
        )

    def _add_alarm(self, name: str, watch: Watch) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            name,
            alarm_description=f"What to do: docs/operations.md#{name.lower()}",
            metric=_sum(name, watch),
            threshold=watch.threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _add_topic(self, settings: Deployment) -> sns.Topic:
        """Return a topic with its own key, because alarms may not use the key of SNS."""
        # No alarm mail is kept.
        kept = RemovalPolicy.DESTROY
        key = kms.Key(self, "Key", enable_key_rotation=True, removal_policy=kept)
        topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        alarms = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        # There is no condition: AWS documents those of alarms for the topic, and not for its key.
        key.grant(alarms, "kms:Decrypt", "kms:GenerateDataKey*")
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[alarms],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_email))
        return topic

    def _count(self, *names: str) -> list[cloudwatch.Metric]:
        return [_metric(name, service=SERVICE, stage=self._stage) for name in names]

    def _add_too_many_requests(self, access_log: logs.LogGroup) -> cloudwatch.Metric:
        """Count each 429, the gateway's own and the functions': API Gateway has no metric of it."""
        name = "TooManyRequests"
        counted = access_log.add_metric_filter(
            name,
            filter_pattern=logs.FilterPattern.string_value("$.status", "=", "429"),
            metric_namespace=NAMESPACE,
            metric_name=name,
            dimensions={"stage": "$.stage"},
        )
        return counted.metric(dimensions_map={"stage": self._stage})

    def _show_outcomes(self) -> cloudwatch.IWidget:
        # It finds every metric of the functions, also those that are added later.
        search = (
            f"SEARCH('{{{NAMESPACE},service,stage}} stage=\"{self._stage}\"', 'Sum', {PERIOD * 60})"
        )
        outcomes = cloudwatch.MathExpression(label="", expression=search)
        return cloudwatch.GraphWidget(title="Outcomes and causes", width=24, left=[outcomes])

    def _row(self, name: str, alias: lambda_.Alias) -> list[cloudwatch.IWidget]:
        function = alias.lambda_.function_name
        cold_starts = _metric("ColdStart", function_name=function, service=SERVICE)
        calls = [alias.metric_invocations(), alias.metric_errors(), alias.metric_throttles()]
        durations = [
            alias.metric_duration(statistic=cloudwatch.Stats.percentile(number))
            for number in (50, 99)
        ]
        graph = partial(cloudwatch.GraphWidget, width=12)
        return [
            graph(title=f"{name}: requests", statistic="Sum", left=[*calls, cold_starts]),
            graph(title=f"{name}: duration with the wait for the step", left=durations),
        ]


def _failures(functions: Mapping[str, lambda_.Alias]) -> Iterator[cloudwatch.Metric]:
    """Yield the metrics of calls that no handler has ended.

    Nothing else tells that the trigger was throttled: the gateway counts a function that was, and
    messages for the worker wait.
    """
    yield from (alias.metric_errors() for alias in functions.values())
    if trigger := functions.get(CUSTOM_MESSAGE):
        yield trigger.metric_throttles()


def _metric(name: str, **dimensions: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace=NAMESPACE, metric_name=name, dimensions_map=dimensions)


def _usage(name: str) -> list[cloudwatch.Metric]:
    """Return a metric about Cognito's quota, with and without the dimension `Class`.

    Cognito's guide lists that dimension and says that Cognito does not use it. Only one of the two
    exists, and `make verify` asks Service Quotas which.
    """
    common = {"Service": "Cognito user pool", "Type": "API", "Resource": "UserAccountRecovery"}
    return [
        cloudwatch.Metric(namespace="AWS/Usage", metric_name=name, dimensions_map=common | more)
        for more in ({}, {"Class": "None"})
    ]


def _sum(name: str, watch: Watch) -> cloudwatch.IMetric:
    period = Duration.minutes(watch.period)
    metrics = [metric.with_(statistic=watch.statistic) for metric in watch.metrics]
    if len(metrics) == 1:
        return metrics[0].with_(period=period)
    # An id begins with a small letter, and is known in the whole of a graph.
    by_id = {f"{name[0].lower()}{name[1:]}{n}": metric for n, metric in enumerate(metrics)}
    return cloudwatch.MathExpression(
        label=name, expression=f"SUM([{', '.join(by_id)}])", using_metrics=by_id, period=period
    )


def _graph(title: str, watches: Mapping[str, Watch]) -> cloudwatch.GraphWidget:
    thresholds = sorted({watch.threshold for watch in watches.values()})
    return cloudwatch.GraphWidget(
        title=title,
        width=8,
        left=[_sum(name, watch) for name, watch in watches.items()],
        left_annotations=[cloudwatch.HorizontalAnnotation(value=value) for value in thresholds],
    )
