"""A stack of an earlier version becomes one of this version, by CloudFormation, and loses nothing.

The earlier version is that of the commit `BASE`, from the history of the repository: a mere copy of
its template would need made-up messages and items, which its own functions write here.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import count as count_up
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import (  # type: ignore[import-untyped]  # it has no py.typed
    PROVIDER_SCHEMA_MANAGER,
)

from functions.aws.events import EventType
from functions.operations import Operation
from infra.settings import STAGES
from local import emulator
from local.deployment import STACK
from local.emulator import ACCOUNT, REGION, Key
from local.processes import Processes
from local.runs import hold
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, UPDATE
from tests.e2e.conftest import NEW, OLD, Api, Reply
from tests.e2e.test_deployment import deploy, run_cdk
from tests.infra.conftest import synthesize
from tests.support import PATIENCE, ROOT, wait_until
from tests.support.contract import check_event

JSON = {"Content-Type": "application/json"}
KEY = {"Idempotency-Key": "9a3c-the-key-of-ada"}
BASE = "763e154bb8ec8fa374ba0454e714eb4b7596a278"
DATA = {
    "AWS::ApiGateway::RestApi",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Logs::LogGroup",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
}
"""The types of resources that hold data, or that somebody refers to by a name of AWS."""
ATTEMPTS, TOO_MANY = 5, 429
"""Resets of a user and address in an hour, in the earlier version, and the status of one more."""
LONG = 1800
"""Seconds."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the earlier version, and what was built of them before."""
    git = ["git", "-C", str(ROOT), "archive", BASE]
    archived = subprocess.run(git, check=False, capture_output=True)
    assert archived.returncode == 0, (
        f"The history of this clone does not reach {BASE[:7]}: fetch it with git fetch --unshallow."
    )
    folder = tmp_path_factory.mktemp("base") / "clone"
    with tarfile.open(fileobj=BytesIO(archived.stdout)) as files:
        files.extractall(folder, filter="data")
    (ROOT / ".build").mkdir(exist_ok=True)
    (folder / ".build").symlink_to(ROOT / ".build")
    return folder


def ask(stack: Stack, operation: Operation, body: dict[str, Any], **headers: str) -> Reply:
    """Send a request, whose answer may be that of either version."""
    return Api(stack, "198.18.0.1").send("POST", operation.path, json.dumps(body), JSON | headers)


def use_up_resets(stack: Stack) -> Iterator[User]:
    """Use up the resets of users, until the limit of one holds for long enough to upgrade."""
    left = 0
    for number in count_up():
        if left > LONG:
            return
        stack.create(user := User(f"eve{number}@example.com", OLD))
        replies = [ask(stack, RESET, {"username": user.username}) for _ in range(ATTEMPTS + 1)]
        assert [one.status for one in replies] == [200] * ATTEMPTS + [TOO_MANY]
        left = int(replies[-1].headers["Retry-After"])
        yield user


def items(stack: Stack) -> dict[str, Any]:
    """Return the items of the table by their keys."""
    dynamodb = stack.client("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]
    return {one["id"]["S"]: one for one in dynamodb.scan(TableName=table)["Items"]}


def ids(stack: Stack) -> dict[str, str]:
    """The physical IDs of the resources with data, by their logical ones."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources")
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for page in pages.paginate(StackName=STACK)
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] in DATA
    }


def switch_worker(stack: Stack, *, on: bool) -> None:
    functions = stack.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Stack]:
    """An emulated account that the CDK may deploy to, with nothing in it."""
    port, key = emulator.free_port(), Key.new()
    with hold(port, "PORT", print) as folder, Processes(folder) as processes:
        endpoint, child = emulator.start(
            processes, port=port, folder=folder, key=key, origins=(), functions={}
        )
        emulator.wait(endpoint, key, child)
        account = Stack("", endpoint, key, "", "", "", patience=PATIENCE)
        run_cdk(account, "bootstrap", f"aws://{ACCOUNT}/{REGION}", app=tmp_path, home=tmp_path)
        # The policy requires TLS, which the emulator does not support.
        bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
        account.client("s3").delete_bucket_policy(Bucket=bucket)
        account.client("sesv2").create_email_identity(EmailIdentity="example.com")
        yield account


def deploy_version(account: Stack, folder: Path, *options: str | Path, app: Path) -> Stack:
    """Deploy the stack of an app, and return it as its outputs describe it."""
    outputs = folder / "outputs.json"
    deploy(account, STACK, *options, "--outputs-file", outputs, app=app, home=folder)
    told = json.loads(outputs.read_text())[STACK]
    address = re.fullmatch(r"https://(\w+)\.[^/]+/(\w+)/?", told["ApiUrl"])
    assert address
    return replace(
        account,
        url=f"{account.endpoint}/_aws/execute-api/{address[1]}/{address[2]}",
        user_pool_id=told["UserPoolId"],
        user_pool_client_id=told["UserPoolClientId"],
        public_client_id=told["PublicClientId"],
    )


def test_what_is_queued_and_stored_survives_an_upgrade(
    base: Path, account: Stack, tmp_path: Path
) -> None:
    synthesize_base(base, tmp_path / "base.out", "local")
    stack = deploy_version(account, tmp_path, "--app", tmp_path / "base.out", app=tmp_path)
    told = subscribe(stack)
    ada, bob = User("ada@example.com", OLD), User("bob@example.com", OLD)
    for user in (ada, bob):
        stack.create(user)
    code = stack.request_code(ada.username)
    token = stack.sign_in(bob)["AccessToken"]
    switch_worker(stack, on=False)
    change = {"username": ada.username, "confirmationCode": code, "newPassword": NEW}
    update = {"oldPassword": OLD, "newPassword": NEW}
    assert ask(stack, CONFIRM, change, **KEY).status == 204
    assert ask(stack, UPDATE, update, Authorization=f"Bearer {token}").status == 204
    limited = [*use_up_resets(stack)]
    stored, known, queued = items(stack), ids(stack), count(stack)
    assert queued == 2 + 2 + ATTEMPTS * len(limited)

    chosen = ("--context", "stage=local", "--context", f"resetPasswordAttempts={ATTEMPTS}")
    output = ("--output", tmp_path / "new.out")
    stack = deploy_version(account, tmp_path, *chosen, *output, app=ROOT)

    assert known.items() <= ids(stack).items()
    assert stored.items() <= items(stack).items()
    assert count(stack) == queued
    assert ask(stack, RESET, {"username": limited[-1].username}).status == TOO_MANY
    assert ask(stack, CONFIRM, change, **KEY).status == 204
    switch_worker(stack, on=True)
    events = told(2)
    kinds = {one["detail-type"] for one in events}
    assert kinds == {EventType.RESET_CONFIRMED, EventType.UPDATED}
    for event in events:
        check_event(event)
        assert event["detail"]["sub"]
    assert stack.settle()
    mailed = [(mail.to, mail.code) for mail in stack.mails()]
    assert sorted(to for to, code in mailed if not code) == [ada.username, bob.username]
    assert {user.username for user in limited} <= {to for to, code in mailed if code}
    assert stack.sign_in(ada._replace(password=NEW))
    assert stack.sign_in(bob._replace(password=NEW))


def subscribe(stack: Stack) -> Callable[[int], list[dict[str, Any]]]:
    """Keep each event on the bus; return what waits for a number of them."""
    events, sqs = stack.client("events"), stack.client("sqs")
    (bus,) = {one["Name"] for one in events.list_event_buses()["EventBuses"]} - {"default"}
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": ["password-service"]})
    events.put_rule(Name="told", EventBusName=bus, EventPattern=pattern)
    targets = [{"Id": "queue", "Arn": arn["QueueArn"]}]
    events.put_targets(Rule="told", EventBusName=bus, Targets=targets)
    told: list[dict[str, Any]] = []

    def wait(number: int) -> list[dict[str, Any]]:
        def arrived() -> bool:
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            told.extend(json.loads(one["Body"]) for one in answer.get("Messages", []))
            return len(told) >= number

        wait_until(arrived)
        return told

    return wait


def count(stack: Stack) -> int:
    """The messages on the queue."""
    name = "ApproximateNumberOfMessages"
    attributes = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.queue, AttributeNames=[name]
    )
    return int(attributes["Attributes"][name])


@pytest.mark.parametrize("stage", STAGES)
def test_no_resource_with_data_changes_what_cloudformation_would_replace_it_for(
    stage: str, base: Path, tmp_path: Path
) -> None:
    """The emulator may keep a resource that AWS would replace, so AWS's own lists decide."""
    before = synthesize_base(base, tmp_path, stage)
    # The default of `dev` is another one now. A stage that chose it keeps its log.
    after = synthesize(stage=stage, firewall="off" if stage == "local" else "block")["Resources"]

    kept = {name: one for name, one in before.items() if one["Type"] in DATA}
    assert {one["Type"] for one in kept.values()} == DATA
    for name, resource in kept.items():
        kind = resource["Type"]
        assert after[name]["Type"] == kind
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        for path in schema.get("createOnlyProperties", ()):
            member = path.split("/")[2]
            assert resource["Properties"].get(member) == after[name]["Properties"].get(member), path


def synthesize_base(base: Path, folder: Path, stage: str) -> dict[str, Any]:
    """The resources of the earlier version, as its own program writes them."""
    chosen = {"stage": stage, "aws:cdk:disable-asset-staging": True}
    if stage == "prod":
        chosen["mailFrom"] = "no-reply@example.com"
    flags = json.loads((base / "cdk.json").read_text())["context"]
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=base,
        env=os.environ
        | {"CDK_CONTEXT_JSON": json.dumps(flags | chosen), "CDK_OUTDIR": str(folder)}
        | {"CDK_VALIDATION": "false", "PYTHONPATH": str(base)},
        check=True,
    )
    (template,) = folder.glob("*.template.json")
    resources: dict[str, Any] = json.loads(template.read_text())["Resources"]
    return resources
