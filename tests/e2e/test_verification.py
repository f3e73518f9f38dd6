"""`make verify` against the deployed stack: what holds, what was planted, and what it leaves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.operations import Operation
from functions.records import NAMESPACE, SERVICE, SUCCESS
from local import emulator
from local.emulator import REGION
from local.processes import ROOT
from local.stack import Stack
from tests.e2e.conftest import OLD, wait_until
from tests.support.front import CognitoFront, Front
from verification import doctor, figures, runner, unknowns
from verification.commands import CHECKS, describe, local_mailbox, verify
from verification.runner import Outcome
from verification.target import MARK, STACK, Target

EXPECTED = {
    # The local stage has a public client, no firewall and no alarms on purpose.
    "public-clients": Outcome.WEAKNESS,
    "api-web-acl": Outcome.WEAKNESS,
    "pool-web-acl": Outcome.WEAKNESS,
    "alarm-subscription": Outcome.WEAKNESS,
    "alarms": Outcome.WEAKNESS,
    "firewall-blocks": Outcome.WEAKNESS,
    # The emulator differs from AWS.
    "request-id": Outcome.WEAKNESS,
    "preflight": Outcome.WEAKNESS,
    "access-log": Outcome.WEAKNESS,
    "metrics": Outcome.WEAKNESS,
    # It has nothing to look at.
    "cognito-quota": Outcome.NOT_OBSERVED,
    "killed-function": Outcome.NOT_OBSERVED,
    "traces": Outcome.NOT_OBSERVED,
    "cold-starts": Outcome.NOT_OBSERVED,
    "restores": Outcome.NOT_OBSERVED,
}
"""What the local stage does not pass."""

_numbers = count(1)


def find(stack: Stack, client: Callable[[str], Any] | None = None) -> Target:
    target = describe("local", client or stack.client, stack.url, local_mailbox(stack))
    # An address that no other test calls from, because the limits count by address.
    return replace(target, headers={"X-Forwarded-For": f"203.0.113.{next(_numbers)}"})


def diagnose(target: Target) -> dict[str, tuple[Outcome, str]]:
    return {one.check.id: one.finding for one in runner.run(target, doctor.CHECKS)}


def guests(stack: Stack) -> list[str]:
    users = stack.client("cognito-idp").list_users(
        UserPoolId=stack.user_pool_id, Filter=f'name = "{MARK}"'
    )
    return [a["Value"] for u in users["Users"] for a in u["Attributes"] if a["Name"] == "email"]


@pytest.fixture
def permitted(stack: Stack) -> Iterator[Callable[[str], Any]]:
    """Clients of somebody with the printed policy and no other permission."""
    iam = stack.client("iam")
    user = {"UserName": "verifier"}
    iam.create_user(**user)
    policy = json.dumps(runner.policy(CHECKS, STACK))
    iam.put_user_policy(**user, PolicyName="printed", PolicyDocument=policy)
    key = iam.create_access_key(**user)["AccessKey"]

    @cache
    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=stack.endpoint,
            region_name=REGION,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    yield client
    iam.delete_access_key(**user, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(**user, PolicyName="printed")
    iam.delete_user(**user)


def test_the_local_stage_holds_but_for_what_it_lacks_and_the_report_tells_no_secret(
    stack: Stack,
    permitted: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    target = find(stack, permitted)

    status = verify(target)

    printed = capsys.readouterr().out
    report = (tmp_path / "verification.json").read_text()
    checks = json.loads(report)["checks"]
    found = {one["id"]: one["outcome"] for one in checks}
    assert [*found] == [one.id for one in CHECKS]
    assert {i: o for i, o in found.items() if o != Outcome.HOLDS} == EXPECTED, printed
    assert status == 1
    assert [i for i in found if f" {i} " not in printed] == []
    weak = [one for one in checks if one["outcome"] == Outcome.WEAKNESS]
    assert [one["id"] for one in weak if f"{one['id']}: {one['remedy']}" not in printed] == []
    told = printed + report + (tmp_path / "verification.md").read_text()
    assert len(target.secret_values) > 20
    assert [secret for secret in target.secret_values if secret in told] == []
    assert guests(stack) == []


type Plant = Callable[[Stack, Target], Iterator[Target]]
PLANTS: dict[str, Plant] = {}


def plants(id_: str) -> Callable[[Plant], Plant]:
    """Declare how a deployment is weakened, so that one check alone finds it, and undone."""

    def declare(plant: Plant) -> Plant:
        PLANTS[id_] = plant
        return plant

    return declare


@plants("public-clients")
def add_a_public_client(stack: Stack, target: Target) -> Iterator[Target]:
    yield from with_client(stack, target, GenerateSecret=False)


@plants("user-existence")
def let_a_client_tell(stack: Stack, target: Target) -> Iterator[Target]:
    yield from with_client(stack, target, PreventUserExistenceErrors="LEGACY")


def with_client(stack: Stack, target: Target, **changes: Any) -> Iterator[Target]:
    settings = {"GenerateSecret": True, "PreventUserExistenceErrors": "ENABLED"} | changes
    cognito, pool = stack.client("cognito-idp"), {"UserPoolId": stack.user_pool_id}
    client = cognito.create_user_pool_client(**pool, ClientName="planted", **settings)
    yield target
    cognito.delete_user_pool_client(**pool, ClientId=client["UserPoolClient"]["ClientId"])


@plants("token-revocation")
def keep_sessions(stack: Stack, target: Target) -> Iterator[Target]:
    yield from with_changed_client(stack, target, EnableTokenRevocation=False)


@plants("scopes")
def leave_out_the_scope(stack: Stack, target: Target) -> Iterator[Target]:
    oauth = {"AllowedOAuthFlowsUserPoolClient": True, "AllowedOAuthScopes": ["openid"]}
    yield from with_changed_client(stack, target, **oauth)


def with_changed_client(stack: Stack, target: Target, **changes: Any) -> Iterator[Target]:
    cognito = stack.client("cognito-idp")
    client = {"UserPoolId": stack.user_pool_id, "ClientId": stack.public_client_id}
    before = cognito.describe_user_pool_client(**client)["UserPoolClient"]
    kept = {"EnableTokenRevocation", "PreventUserExistenceErrors", "ExplicitAuthFlows"}
    same = {name: value for name, value in before.items() if name in kept}
    cognito.update_user_pool_client(**client, **same | changes)
    yield target
    back = {"AllowedOAuthFlowsUserPoolClient": False, "AllowedOAuthScopes": []}
    cognito.update_user_pool_client(**client, **same | back)


@plants("mailer")
def mail_by_cognito(stack: Stack, target: Target) -> Iterator[Target]:
    email = {"EmailSendingAccount": "COGNITO_DEFAULT"}
    yield from with_changed_pool(stack, target, EmailConfiguration=email)


@plants("recovery")
def let_administrators_alone_reset(stack: Stack, target: Target) -> Iterator[Target]:
    setting = {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}
    yield from with_changed_pool(stack, target, AccountRecoverySetting=setting)


def with_changed_pool(stack: Stack, target: Target, **changes: Any) -> Iterator[Target]:
    cognito, pool = stack.client("cognito-idp"), {"UserPoolId": stack.user_pool_id}
    before = cognito.describe_user_pool(**pool)["UserPool"]
    cognito.update_user_pool(**pool, **changes)
    yield target
    cognito.update_user_pool(**pool, **{name: before[name] for name in changes})


@plants("ses-sandbox")
def stay_in_the_sandbox(stack: Stack, target: Target) -> Iterator[Target]:
    details = {"MailType": "TRANSACTIONAL", "WebsiteURL": "https://example.com"}
    ses = stack.client("sesv2")
    ses.put_account_details(**details, ProductionAccessEnabled=False)
    yield target
    ses.put_account_details(**details, ProductionAccessEnabled=True)


@plants("concurrency")
def reserve_executions(stack: Stack, target: Target) -> Iterator[Target]:
    client = stack.client("lambda")
    name = {"FunctionName": target.functions["password_policy"]["FunctionName"]}
    client.put_function_concurrency(**name, ReservedConcurrentExecutions=900)
    yield target
    client.delete_function_concurrency(**name)


@plants("cloudwatch-role")
def take_the_role_away(stack: Stack, target: Target) -> Iterator[Target]:
    gateway = stack.client("apigateway")
    role = gateway.get_account()["cloudwatchRoleArn"]

    def put(value: str) -> None:
        patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": value}
        gateway.update_account(patchOperations=[patch])

    put("")
    yield target
    put(role)


@plants("leftovers")
def leave_a_user_behind(stack: Stack, target: Target) -> Iterator[Target]:
    cognito = stack.client("cognito-idp")
    user = {"UserPoolId": stack.user_pool_id, "Username": "left@example.com"}
    mark = [{"Name": "name", "Value": MARK}]
    cognito.admin_create_user(**user, UserAttributes=mark, TemporaryPassword=OLD)
    yield target
    cognito.admin_delete_user(**user)


@plants("alarms")
def let_an_alarm_ring(stack: Stack, target: Target) -> Iterator[Target]:
    cloudwatch = stack.client("cloudwatch")
    threshold = {"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    what = {"MetricName": "Planted", "Namespace": "Tests", "Statistic": "Sum", "Period": 60}
    cloudwatch.put_metric_alarm(AlarmName="planted", EvaluationPeriods=1, **what, **threshold)
    cloudwatch.set_alarm_state(AlarmName="planted", StateValue="ALARM", StateReason="planted")
    yield with_resource(target, "AWS::CloudWatch::Alarm", "planted")
    cloudwatch.delete_alarms(AlarmNames=["planted"])


@plants("alarm-subscription")
def leave_a_subscription_unconfirmed(stack: Stack, target: Target) -> Iterator[Target]:
    sns = stack.client("sns")
    topic = {"TopicArn": sns.create_topic(Name="planted")["TopicArn"]}
    # The emulator takes an address of mail for confirmed at once; nobody listens at this one.
    sns.subscribe(**topic, Protocol="http", Endpoint="http://127.0.0.1:9/")
    yield with_resource(target, "AWS::SNS::Topic", topic["TopicArn"])
    sns.delete_topic(**topic)


def with_resource(target: Target, kind: str, id_: str) -> Target:
    """The local stack has no alarms, so the test adds one to what CloudFormation lists."""
    return replace(target, resources={**target.resources, kind: [id_]})


@plants("api-web-acl")
def protect_the_api(stack: Stack, target: Target) -> Iterator[Target]:
    yield from with_web_acl(stack, target, target.api_stage["arn"])


@plants("pool-web-acl")
def protect_the_pool(stack: Stack, target: Target) -> Iterator[Target]:
    yield from with_web_acl(stack, target, target.pool["Arn"])


def with_web_acl(stack: Stack, target: Target, arn: str) -> Iterator[Target]:
    waf, scope = stack.client("wafv2"), {"Name": "planted", "Scope": "REGIONAL"}
    visibility = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False}
    acl = waf.create_web_acl(
        **scope, DefaultAction={"Allow": {}}, VisibilityConfig={**visibility, "MetricName": "m"}
    )["Summary"]
    waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=arn)
    yield target
    waf.disassociate_web_acl(ResourceArn=arn)
    waf.delete_web_acl(**scope, Id=acl["Id"], LockToken=acl["LockToken"])


@plants("throttles")
def throttle_more(stack: Stack, target: Target) -> Iterator[Target]:
    with stack.throttled(Operation.RESET_PASSWORD, rate=1, burst=1):
        yield target


@pytest.fixture(scope="module")
def healthy(stack: Stack) -> dict[str, tuple[Outcome, str]]:
    return diagnose(find(stack))


@pytest.mark.parametrize("id_", PLANTS)
def test_what_changes_in_a_deployment_is_found_by_its_check_and_by_no_other(
    stack: Stack, healthy: dict[str, tuple[Outcome, str]], id_: str
) -> None:
    with contextmanager(PLANTS[id_])(stack, find(stack)) as target:
        found = diagnose(target)

    assert {one for one in found if found[one] != healthy[one]} == {id_}
    was, now = healthy[id_][0], found[id_][0]
    # The local stage has some weaknesses from the start: then the change is a cure, or one more.
    assert now is Outcome.WEAKNESS or was is Outcome.WEAKNESS


def test_every_check_of_a_setting_has_a_plant() -> None:
    """But for the quotas of Cognito, which the emulator does not know."""
    assert {one.id for one in doctor.CHECKS} - {*PLANTS} == {"cognito-quota"}


def reports(milliseconds: int) -> dict[str, Any]:
    line = f"REPORT RequestId: a\tDuration: 9.5 ms\tInit Duration: {milliseconds}.00 ms"
    return {"events": [{"message": line}] * 30}


def failures(response_type: str) -> dict[str, Any]:
    return {"events": [{"message": json.dumps({"status": "504", "failure": response_type})}]}


QUOTA = {"Quotas": [{"QuotaName": "Rate of UserAccountRecovery requests", "Value": 30.0}]}
LOG = {"accessLogSettings": {"destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:a"}}
ANSWERS: list[tuple[str, str, dict[str, Any], Outcome]] = [
    # The local worker does not wait between two codes, so it may use any quota up.
    ("cognito-quota", "ListServiceQuotas", QUOTA, Outcome.WEAKNESS),
    ("cognito-quota", "ListServiceQuotas", {"Quotas": []}, Outcome.NOT_OBSERVED),
    ("access-log", "FilterLogEvents", failures("-"), Outcome.HOLDS),
    ("access-log", "FilterLogEvents", {"events": []}, Outcome.WEAKNESS),
    ("killed-function", "FilterLogEvents", failures("INTEGRATION_TIMEOUT"), Outcome.HOLDS),
    ("killed-function", "FilterLogEvents", failures("SOMETHING_NEW"), Outcome.WEAKNESS),
    ("cold-starts", "FilterLogEvents", reports(400), Outcome.HOLDS),
    ("cold-starts", "FilterLogEvents", reports(1400), Outcome.WEAKNESS),
    ("traces", "", {"TraceSummaries": [{"Id": "a"}]}, Outcome.HOLDS),
    ("traces", "", {"TraceSummaries": []}, Outcome.WEAKNESS),
]
"""What AWS answers, by check and action, and the emulator does not."""


@pytest.mark.parametrize(("id_", "action", "answer", "outcome"), ANSWERS)
def test_what_only_aws_shows_is_judged(
    stack: Stack, id_: str, action: str, answer: dict[str, Any], outcome: Outcome
) -> None:
    with Front(stack.endpoint) as front:
        front.answer("", body=LOG)
        front.answer(action, body=answer)
        played = {"apigateway", "logs", "service-quotas", "xray"}

        def client(service: str) -> Any:
            made = stack.client(service)
            return emulator.client(front.url, service) if service in played else made

        (result,) = runner.run(find(stack, client), [one for one in CHECKS if one.id == id_])

    assert result.finding.outcome is outcome, result


def test_a_response_that_is_later_for_users_who_exist_is_seen(
    stack: Stack, front: CognitoFront
) -> None:
    for delay in (0.3, 0.0) * figures.SAMPLES:  # a user, nobody, a user, …
        front.answer("ConfirmForgotPassword", delay=delay, times=1)

    with find(stack) as target:
        (result,) = runner.run(target, [figures.timing])

    assert result.finding.outcome is Outcome.WEAKNESS, result


def test_a_metric_that_cloudwatch_has_is_seen(stack: Stack) -> None:
    names = {"operation": "reset_password", "service": SERVICE, "stage": "planted"}
    dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
    point = {"MetricName": SUCCESS, "Dimensions": dimensions, "Value": 1}
    stack.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[point])

    target = replace(find(stack), stage="planted")
    (result,) = runner.run(target, [unknowns.metrics])

    assert result.finding.outcome is Outcome.HOLDS, result


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dev"], "password-service-dev cannot be read: "),
        (["dev", "--mailbox", "local"], "MAILBOX must be an address that you can read"),
        (["local", "--port", "1"], "No local stack is running: start one with make run."),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    stack: Stack, arguments: list[str], sentence: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "verification", *arguments],
        cwd=ROOT,
        env=emulator.environment(stack.endpoint),
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

    output, _ = verification.communicate(timeout=30)
    assert (verification.returncode, guests(stack)) == (130, []), output
    assert "Traceback" not in output
