"""A stack of an earlier version becomes one of this version, by CloudFormation, and loses nothing.

The earlier version is that of the commit `BASE`, whose own `make run` deploys it to the emulator.
It comes from the history of the repository, because a copy of its template alone would need made-up
messages and items. Its own functions write them.
"""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import (  # type: ignore[import-untyped]  # it has no py.typed
    PROVIDER_SCHEMA_MANAGER,
)

from infra.settings import STAGES
from local.deployment import STACK
from local.emulator import Key
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, UPDATE
from tests.e2e.conftest import NEW, OLD, Api
from tests.e2e.test_deployment import deploy
from tests.infra.conftest import synthesize
from tests.local.clone import Run, link
from tests.support import ROOT, wait_until
from tests.support.contract import check_event

JSON = {"Content-Type": "application/json"}
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
ATTEMPTS = 5
"""Resets of a user and address in an hour, in both versions."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the earlier version, with what is installed here."""
    git = ["git", "-C", str(ROOT), "archive", BASE]
    archived = subprocess.run(git, check=False, capture_output=True)
    assert archived.returncode == 0, (
        f"The history of this clone does not reach {BASE[:7]}: fetch it with git fetch --unshallow."
    )
    folder = tmp_path_factory.mktemp("base") / "clone"
    with tarfile.open(fileobj=BytesIO(archived.stdout)) as files:
        files.extractall(folder, filter="data")
    return link(folder)


def items(stack: Stack) -> dict[str, Any]:
    """What is in the table, by its key."""
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
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)


def test_what_is_queued_and_stored_survives_an_upgrade(base: Path, tmp_path: Path) -> None:
    with Run(base) as run:
        run.wait_until_ready()
        stack = open_stack(run)
        bus = subscribe(stack)
        ada, bob, eve = (User(f"{name}@example.com", OLD) for name in ("ada", "bob", "eve"))
        for user in (ada, bob, eve):
            stack.create(user)
        code = stack.request_code(ada.username)
        token = stack.sign_in(bob)["AccessToken"]
        switch_worker(stack, on=False)
        old = Api(stack, "198.18.0.1")
        change = {"username": ada.username, "confirmationCode": code, "newPassword": NEW}
        key = {"Idempotency-Key": "9a3c-the-key-of-ada"}
        assert old.send("POST", CONFIRM.path, json.dumps(change), JSON | key).status == 204
        update = {"oldPassword": OLD, "newPassword": NEW}
        bearer = {"Authorization": f"Bearer {token}"}
        assert old.send("POST", UPDATE.path, json.dumps(update), JSON | bearer).status == 204
        for _ in range(ATTEMPTS):
            reset = json.dumps({"username": eve.username})
            assert old.send("POST", RESET.path, reset, JSON).status == 200
        stored, known, queued = items(stack), ids(stack), count(stack)
        assert queued == 2 + 2 + ATTEMPTS

        deploy(
            stack,
            STACK,
            *("--output", tmp_path / "cdk.out", "--context", "stage=local"),
            app=ROOT,
            home=tmp_path,
        )

        assert known.items() <= ids(stack).items()
        assert stored.items() <= items(stack).items()
        assert count(stack) == queued
        new = Api(open_stack(run), "198.18.0.1")
        refused = new.post(RESET, {"username": eve.username})
        assert (refused.status, refused.body["type"]) == (
            429,
            "urn:password-service:attempts-exceeded",
        )
        repeated = new.post(CONFIRM, change, Idempotency_Key=key["Idempotency-Key"])
        assert (repeated.status, repeated.text) == (204, "")
        switch_worker(stack, on=True)
        told = bus(2)
        assert {one["detail-type"] for one in told} == {
            "Password Reset Confirmed",
            "Password Updated",
        }
        for event in told:
            check_event(event)
            assert event["detail"]["sub"]
        wait_until(lambda: stack.is_idle)
        assert stack.code(eve.username)
        notices = [mail.to for mail in stack.mails() if "was changed" in mail.subject]
        assert sorted(notices) == [ada.username, bob.username]
        assert stack.sign_in(ada._replace(password=NEW))
        assert stack.sign_in(bob._replace(password=NEW))


def open_stack(run: Run) -> Stack:
    """The stack that the earlier version deployed, and described in its own file."""
    described = json.loads((run.folder / "stack.json").read_text())
    return Stack(
        url=described["url"],
        endpoint=described["endpoint"],
        key=Key("test", "test"),  # of every emulator of that version
        user_pool_id=described["userPoolId"],
        user_pool_client_id=described["userPoolClientId"],
        public_client_id=described["publicClientId"],
    )


def subscribe(stack: Stack) -> Callable[[int], list[dict[str, Any]]]:
    """Keep each event on the bus; return what waits for so many of them."""
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
    after = synthesize(stage=stage)["Resources"]

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
