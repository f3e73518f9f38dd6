"""`make verify` against the deployed stack: what holds, what was planted, and what it leaves."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.operations import FUNCTIONS, SCOPE, Operation
from functions.records import NAMESPACE, SUCCESS
from local import emulator
from local.emulator import REGION
from local.processes import ROOT
from local.stack import Stack
from tests.e2e.conftest import Fronts
from tests.support import PATIENCE, wait_until
from tests.support.front import CognitoFront
from tests.support.invocation import Deployment
from verification import doctor, figures, permissions, runner, stages, story, unknowns
from verification.commands import CHECKS, verify
from verification.leaving import refuse_with_rules
from verification.runner import Outcome
from verification.stages import describe_local
from verification.target import MARK, Target

UNSEEN = {
    *("cognito-quota", "killed-function", "traces", "cold-starts", "timing"),
    *("unknown-user-throttle", "other-sessions", "quota-metric", "firewall-blocks"),
}
"""The checks for which the emulator has no data."""
BY_SPEED = "run-times"
"""The check that a slow machine does not pass."""
UNASKED = {
    # The local stage has no alarms and no topic.
    "cloudwatch:DescribeAlarms",
    "sns:GetTopicAttributes",
    # AWS demands these of a caller of GetWebACLForResource.
    "cognito-idp:GetWebACLForResource",
    "wafv2:GetWebACL",
    # Every read of API Gateway.
    "apigateway:GET",
}
"""Permissions that have another name than what is called, or that are not needed here."""

_numbers = count(1)


def find(stack: Stack, client: Callable[[str], Any] | None = None) -> Target:
    target = describe_local(client or stack.client, stack.url, stack.mailbox)
    # An address that no other test calls from, because the limits count by address.
    return replace(target, headers={"X-Forwarded-For": f"203.0.113.{next(_numbers)}"})


def judge(target: Target, check: runner.Check) -> Outcome:
    (result,) = runner.run(target, [check])
    print(result)  # noqa: T201  # what pytest shows if it is another
    return result.finding.outcome


def guests(stack: Stack) -> list[str]:
    users = stack.client("cognito-idp").list_users(
        UserPoolId=stack.user_pool_id, Filter=f'name = "{MARK}"'
    )
    return [a["Value"] for u in users["Users"] for a in u["Attributes"] if a["Name"] == "email"]


@pytest.fixture
def permitted(stack: Stack) -> Iterator[Callable[[str], Any]]:
    """Clients of somebody with the printed policy and no other permission."""
    iam, user = stack.client("iam"), {"UserName": "verifier"}
    iam.create_user(**user)
    policy = json.dumps(permissions.policy(find(stack)))
    iam.put_user_policy(**user, PolicyName="printed", PolicyDocument=policy)
    key = iam.create_access_key(**user)["AccessKey"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
    yield lambda service: session.client(service, endpoint_url=stack.endpoint)  # type: ignore[call-overload]
    iam.delete_access_key(**user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(**user, PolicyName="printed")
    iam.delete_user(**user)


def test_the_local_stage_lacks_only_what_is_expected_and_the_report_tells_no_secret(
    stack: Stack,
    permitted: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = set()

    def client(service: str) -> Any:
        made = permitted(service)

        def note(model: Any, **_: object) -> None:
            signed = {"monitoring": "cloudwatch"}.get(model.service_model.signing_name)
            asked.add(f"{signed or model.service_model.signing_name}:{model.name}")

        made.meta.events.register("before-call", note)
        return made

    target = find(stack, client)
    status = verify(target)

    printed = capsys.readouterr().out
    report = (tmp_path / "verification.json").read_text()
    found = {one["id"]: one["outcome"] for one in json.loads(report)["checks"]}
    assert [*found] == [one.id for one in CHECKS]
    assert [i for i in found if f" {i} " not in printed] == []
    del found[BY_SPEED]
    assert {i for i in found if found[i] == Outcome.NOT_OBSERVED} == UNSEEN, printed
    expected = {one.id for one in CHECKS if one.local} - {BY_SPEED}
    assert {i for i in found if found[i] == Outcome.EXPECTED} == expected, printed
    assert {i for i in found if found[i] == Outcome.WEAKNESS} == set(), printed
    assert status == 0
    assert re.search(r"The account allows \d+ executions", printed)
    told = printed + report + (tmp_path / "verification.md").read_text()
    assert len(target.secret_values) > 20
    assert [secret for secret in target.secret_values if secret in told] == []
    assert guests(stack) == []
    rows = {action for rows in permissions.PERMISSIONS.values() for action in rows}
    assert rows - asked == UNASKED


def test_the_policy_names_the_stages_own_resources_and_says_what_it_allows(stack: Stack) -> None:
    target = find(stack)

    statements = permissions.policy(target)["Statement"]
    told = permissions.explain(target)

    resources = {one["Sid"]: one["Resource"] for one in statements}
    pool = f"arn:aws:cognito-idp:{REGION}:000000000000:userpool/{stack.user_pool_id}"
    assert resources["Pool"] == [pool]
    assert len(resources["Functions"]) == len(target.functions)
    assert [sid for sid, named in resources.items() if "*" in named] == ["Account"]
    assert "set the password of every user" in told
    assert [arn for named in resources.values() for arn in named if arn not in told] == []


def test_a_stage_is_not_destroyed_while_somebodys_rules_are_on_its_event_bus(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """EventBridge deletes no bus that has rules."""
    events, name = stack.client("events"), "password-service-local"
    (bus,) = (
        one["Name"] for one in events.list_event_buses()["EventBuses"] if "password" in one["Name"]
    )
    assert refuse_with_rules(stack.client, name) == 0

    events.put_rule(
        Name="theirs", EventBusName=bus, EventPattern='{"source": ["password-service"]}'
    )
    refused = refuse_with_rules(stack.client, name)
    events.delete_rule(Name="theirs", EventBusName=bus)

    assert refused == 1
    assert "theirs" in capsys.readouterr().err
    # Nobody is kept from destroying what is not there.
    assert refuse_with_rules(stack.client, "another-stack") == 0


def logged(line: str) -> dict[str, Any]:
    return {"FilterLogEvents": {"events": [{"message": line}] * 30}}


def failures(response_type: str) -> dict[str, Any]:
    return WITH_LOG | logged(json.dumps({"status": "504", "failure": response_type}))


def a_client(**members: Any) -> dict[str, Any]:
    return {"DescribeUserPoolClient": {"UserPoolClient": {"ClientId": SERVICE_CLIENT, **members}}}


def a_pool(**members: Any) -> dict[str, Any]:
    return {"DescribeUserPool": {"UserPool": {"Arn": POOL_ARN, **members}}}


SERVICE_CLIENT = "the-service-client"
POOL_ARN = f"arn:aws:cognito-idp:{REGION}:000000000000:userpool/a"
NOBODY = {"Protocol": "http", "Endpoint": "http://127.0.0.1:9/"}
REST = ""
"""The action of every request that does not name one in a header."""
OAUTH = {"AllowedOAuthFlowsUserPoolClient": True, "AllowedOAuthScopes": [SCOPE]}
BLOCKED = dict.fromkeys(("ForgotPassword", "ConfirmForgotPassword"), "ForbiddenException")
RECOVERY = {"QuotaName": "Rate of UserAccountRecovery requests", "Value": 30.0, "Adjustable": False}
QUOTA = {"Quotas": [RECOVERY]}
MEASURED = {"Quotas": [RECOVERY | {"UsageMetric": {"MetricDimensions": {"Service": "Cognito"}}}]}
LOG = {"accessLogSettings": {"destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:a"}}
WITH_LOG = {REST: LOG}
STARTED = "REPORT RequestId: a\tDuration: 9.5 ms\tInit Duration: {}.00 ms"
WEB_ACL = {"GetWebACLForResource": {"WebACL": {"Name": "a"}}}
NO_EXECUTIONS = {"AccountLimit": {"ConcurrentExecutions": 5}, "EventSourceMappings": []}
IN_SANDBOX = {"SendingEnabled": True, "ProductionAccessEnabled": False}
ONLY_ADMINISTRATORS = {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}
HOLDS, WEAKNESS, EXPECTED, NOT_OBSERVED = Outcome
ANSWERS: list[tuple[str, dict[str, Any], Outcome]] = [
    ("public-clients", a_client() | BLOCKED, HOLDS),
    ("user-existence", a_client(PreventUserExistenceErrors="LEGACY"), WEAKNESS),
    ("token-revocation", a_client(EnableTokenRevocation=False), WEAKNESS),
    ("scopes", a_client(**OAUTH), WEAKNESS),
    ("recovery", a_pool(AccountRecoverySetting=ONLY_ADMINISTRATORS), WEAKNESS),
    ("recovery", a_pool(), WEAKNESS),
    ("sign-in-names", a_pool(UsernameAttributes=["email"]), HOLDS),
    ("sign-in-names", a_pool(UsernameAttributes=["email", "phone_number"]), WEAKNESS),
    ("sign-in-names", a_pool(), WEAKNESS),
    ("mailer", a_pool(), WEAKNESS),
    ("code-mails", a_pool(), WEAKNESS),
    ("reset-mail", logged("{}"), HOLDS),
    ("ses-sandbox", {REST: IN_SANDBOX}, WEAKNESS),
    ("api-web-acl", WEB_ACL, HOLDS),
    ("pool-web-acl", a_client() | WEB_ACL, HOLDS),
    ("throttles", {REST: {"methodSettings": {}}}, WEAKNESS),
    # The local worker does not wait between two codes, so it may use any quota up.
    ("cognito-quota", {"ListServiceQuotas": QUOTA}, WEAKNESS),
    ("cognito-quota", {"ListServiceQuotas": {"Quotas": []}}, NOT_OBSERVED),
    # The local stage has no alarm that could watch it, as `dev` has none.
    ("quota-metric", {"ListServiceQuotas": MEASURED}, NOT_OBSERVED),
    ("firewall-blocks", WEB_ACL, WEAKNESS),
    ("concurrency", {REST: NO_EXECUTIONS}, WEAKNESS),
    ("cloudwatch-role", {REST: {}}, WEAKNESS),
    ("leftovers", {"ListUsers": {"Users": [{"Username": "left@example.com"}]}}, WEAKNESS),
    ("access-log", failures("-"), HOLDS),
    ("access-log", WITH_LOG | {"FilterLogEvents": {"events": []}}, EXPECTED),
    ("killed-function", failures("INTEGRATION_TIMEOUT"), HOLDS),
    ("killed-function", failures("SOMETHING_NEW"), WEAKNESS),
    ("cold-starts", logged(STARTED.format(400)), HOLDS),
    ("cold-starts", logged(STARTED.format(1400)), WEAKNESS),
    ("traces", {REST: {"TraceSummaries": [{"Id": "a"}]}}, HOLDS),
    ("traces", {REST: {"TraceSummaries": []}}, WEAKNESS),
]
"""The outcome of a check by what AWS answers to its actions. A word is an error."""


@pytest.mark.parametrize(("id_", "answers", "outcome"), ANSWERS)
def test_a_check_judges_what_aws_answers(
    stack: Stack, fronts: Fronts, id_: str, answers: dict[str, Any], outcome: Outcome
) -> None:
    front = fronts.mail
    target = find(stack, lambda service: emulator.client(front.url, stack.key, service))
    assert target.settings.user_pool_id == stack.user_pool_id  # read before it is scripted
    for action, answer in answers.items():
        if isinstance(answer, str):
            front.answer(action, error=answer)
        else:
            text = json.dumps(answer).replace(SERVICE_CLIENT, stack.user_pool_client_id)
            front.answer(action, body=text.encode())
    (check,) = (one for one in CHECKS if one.id == id_)
    assert judge(target, check) is outcome


def test_a_function_needs_no_executions_of_the_account_if_its_own_are_reserved(
    stack: Stack, fronts: Fronts
) -> None:
    front = fronts.mail
    target = find(stack, lambda service: emulator.client(front.url, stack.key, service))
    assert target.settings.limits  # read before it is scripted
    front.answer(REST, body=json.dumps(NO_EXECUTIONS).encode())

    for reserved, outcome in ((FUNCTIONS[1:], WEAKNESS), (FUNCTIONS, HOLDS)):
        target.reserved = frozenset(reserved)
        assert judge(target, doctor.concurrency) is outcome


def test_every_check_of_a_setting_is_judged_by_an_answer() -> None:
    """Except for those that have a test of their own below."""
    untested = {one.id for one in doctor.CHECKS} - {row[0] for row in ANSWERS}
    assert untested == {"alarms", "alarm-subscription"}


def test_an_alarm_that_rings_is_found(stack: Stack) -> None:
    cloudwatch = stack.client("cloudwatch")
    threshold = {"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    what = {"MetricName": "Planted", "Namespace": "Tests", "Statistic": "Sum", "Period": 60}
    cloudwatch.put_metric_alarm(AlarmName="planted", EvaluationPeriods=1, **what, **threshold)
    target = replace(find(stack), resources={"AWS::CloudWatch::Alarm": ["planted"]})
    outcomes = {}

    for state in ("OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName="planted", StateValue=state, StateReason="planted")
        outcomes[state] = judge(target, doctor.alarms)

    cloudwatch.delete_alarms(AlarmNames=["planted"])
    assert outcomes == {"OK": HOLDS, "ALARM": EXPECTED}


@pytest.mark.parametrize(
    ("service", "quotas", "outcome"),
    [
        ("Cognito", MEASURED, HOLDS),
        ("Cognito user pool", MEASURED, WEAKNESS),
        ("Cognito", QUOTA, NOT_OBSERVED),
    ],
)
def test_the_alarm_must_watch_the_metric_that_service_quotas_names(
    stack: Stack, fronts: Fronts, service: str, quotas: dict[str, Any], outcome: Outcome
) -> None:
    front = fronts.mail
    found = find(stack, lambda service: emulator.client(front.url, stack.key, service))
    target = replace(found, resources={"AWS::CloudWatch::Alarm": ["planted"]})
    dimensions = [{"Name": "Service", "Value": service}]
    metric = {"Namespace": "AWS/Usage", "MetricName": "ThrottleCount", "Dimensions": dimensions}
    watched = [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}]
    alarms = {"MetricAlarms": [{"AlarmName": "planted", "Metrics": watched}]}
    front.answer("DescribeAlarms", body=json.dumps(alarms).encode())
    front.answer("ListServiceQuotas", body=json.dumps(quotas).encode())

    assert judge(target, doctor.quota_metric) is outcome


def test_a_subscription_that_nobody_confirmed_is_found(stack: Stack) -> None:
    sns = stack.client("sns")
    topic = {"TopicArn": sns.create_topic(Name="planted")["TopicArn"]}
    target = replace(find(stack), resources={"AWS::SNS::Topic": [topic["TopicArn"]]})
    outcomes = []

    # The emulator confirms an email address at once, but nobody listens at the other one.
    for address in ({"Protocol": "email", "Endpoint": "a@example.com"}, NOBODY):
        sns.subscribe(**topic, **address)
        outcomes.append(judge(target, doctor.alarm_subscription))

    sns.delete_topic(**topic)
    assert outcomes == [HOLDS, EXPECTED]


def test_an_update_waits_until_cognito_lists_the_session_that_it_keeps(
    stack: Stack, fronts: Fronts
) -> None:
    front = fronts.mail
    listed = {"Sessions": [{"SessionId": "tkn-own", "IsCurrentSession": True}]}
    front.answer("ListUserSessions", body={"Sessions": []}, times=1)
    front.answer("ListUserSessions", body=listed)
    found = find(stack, lambda service: emulator.client(front.url, stack.key, service))

    with replace(found, patience=PATIENCE) as target:
        assert judge(target, story.update) is HOLDS

    assert [one.action for one in front.requests].count("ListUserSessions") == 2


def test_no_report_has_the_secrets_of_servers(stack: Stack) -> None:
    target = find(stack)
    secrets = {"SERVER_SECRET": "the-secret", "NEXT_SERVER_SECRET": "the-next"}
    for function in target.functions.values():
        function["Environment"]["Variables"] |= secrets

    assert target.settings.server_secret == "the-secret"
    assert target.redact("the-secret, the-next") == "***, ***"


def test_a_response_that_is_later_for_users_who_exist_is_seen(
    stack: Stack, front: CognitoFront
) -> None:
    def late() -> int:
        """Return the time of a clock that moves only while Cognito answers about the user."""
        confirmed = [one for one in front.requests if one.action == "ConfirmForgotPassword"]
        return sum(one.body["Username"] == target.guest.username for one in confirmed)

    with replace(find(stack), clock=late) as target:
        assert judge(target, figures.timing) is WEAKNESS


def test_the_region_is_that_of_the_aws_cli(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, region in (("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "us-east-2")):
        monkeypatch.setenv(name, region)

    assert stages.client("sts").meta.region_name == "eu-west-1"


def test_a_metric_that_a_function_printed_is_seen(stack: Stack) -> None:
    lines = Deployment(stage="planted").invoke(Operation.RESET_PASSWORD, raw="{").lines
    (printed,) = (line for line in lines if "_aws" in line and "operation" in line)
    (names,) = printed["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    dimensions = [{"Name": name, "Value": printed[name]} for name in names]
    point = {"MetricName": SUCCESS, "Dimensions": dimensions, "Value": 1}
    stack.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[point])
    target = find(stack)
    for function in target.functions.values():
        function["Environment"]["Variables"]["STAGE"] = "planted"

    assert judge(target, unknowns.metrics) is HOLDS


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dev"], "password-service-dev cannot be read: "),
        (["nope"], "There is no stage 'nope': choose STAGE=local or STAGE=dev or STAGE=prod, or"),
        (["dev", "--mailbox", "me"], "MAILBOX must be an address that you can read"),
        (["local", "--port", "1"], "No local stack is running on port 1: "),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    stack: Stack, arguments: list[str], sentence: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "verification", *arguments],
        cwd=ROOT,
        env=emulator.environment(stack.endpoint, stack.key),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(sentence)
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_leave_the_user_behind(
    stack: Stack, tmp_path: Path, number: signal.Signals
) -> None:
    stack.save()
    verification = subprocess.Popen(
        [sys.executable, "-m", "verification", "local", "--port", str(stack.port)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    wait_until(lambda: bool(guests(stack)))
    verification.send_signal(number)

    output, _ = verification.communicate(timeout=PATIENCE)
    assert (verification.returncode, guests(stack)) == (130, []), output
    assert "Traceback" not in output
