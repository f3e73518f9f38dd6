"""The numbers of `docs/reference/costs.md` are those of the handlers and of the template."""

import socket
from collections import Counter
from math import isclose

import pytest

from functions.operations import Operation
from infra.functions import MEMORIES
from infra.settings import Deployment
from tests.infra.conftest import find_in, synthesize
from tests.infra.test_observability import alarms, watched
from tests.support import ROOT
from tests.support.contract import ids
from tests.unit.conftest import Service, mock_table
from tests.unit.test_sessions import TRACKED, track
from tests.unit.test_traces import daemon, flatten, receive

__all__ = ["daemon"]  # a fixture

CHAPTER = (ROOT / "docs/reference/costs.md").read_text()
# Those of this service: an adopter may add another one, which the document does not count.
COUNTED = (Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD)
SHARES = dict(zip(COUNTED, (0.4, 0.4, 0.2), strict=True))
SECONDS = dict(zip(COUNTED, (0.1, 0.3, 0.3), strict=True))
CODE, MESSAGE, POLICY = 1.0, 0.1, 0.05
"""The document's assumptions, in seconds: each operation, and a code, another message, a read."""
MEMORY = Deployment.of_stage("prod").memory_size


def table(first: str) -> dict[str, list[str]]:
    """The cells of each row of a table, by the row's first cell."""
    text = CHAPTER.partition(f"| {first} |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    return {name: cells for name, *cells in rows}


USED = table("what one operation uses")
FIXED = table("what a month costs by itself")


def told(operation: Operation, row: str) -> float:
    (found,) = (cells for name, cells in USED.items() if name.startswith(row))
    return float(found[COUNTED.index(operation)])


@pytest.mark.parametrize("operation", COUNTED, ids=ids)
def test_the_document_counts_what_an_operation_uses(
    operation: Operation, service: Service, daemon: socket.socket
) -> None:
    service.configure(
        limits=True, event_bus_name="the-bus", mail_from="no-reply@example.com", code_pause=60
    )
    track(service, *TRACKED)
    headers = {"Idempotency-Key": "key"} if operation.repeatable else {}
    with mock_table():
        printed = service.invoke(operation, headers=headers).printed
        runs = [receive(daemon)]
        messages = 0
        while delivered := service.cognito.messages:
            messages += len(delivered)
            printed += service.work().printed
            runs.append(receive(daemon))
    calls = Counter(
        (one["name"], one["aws"]["operation"])
        for run in runs
        for one in flatten(run)
        if "aws" in one
    )
    sends = sum(n for (name, _), n in calls.items() if name == "sqs")
    # A page of another origin asks for leave, and before a new password for the policy.
    reads = int(operation.changes_password)
    # Cognito mails the code.
    mails = calls["sesv2", "SendEmail"] + operation.queued
    worked = CODE if operation.queued else MESSAGE * messages
    megabytes = MEMORY * SECONDS[operation] + MEMORIES["worker"] * worked
    megabytes += MEMORIES["password_policy"] * POLICY * reads

    assert told(operation, "API Gateway") == told(operation, "WAF") == 2 + reads
    assert told(operation, "Lambda: requests") == 1 + reads + messages
    assert told(operation, "X-Ray") == 1 + reads + messages
    assert told(operation, "SQS") == sends + 2 * messages
    assert told(operation, "EventBridge") == calls["events", "PutEvents"]
    assert told(operation, "SES") == mails
    # The lines of the handlers, of the gateway and the firewall, and Lambda's own.
    kilobytes = len(printed) / 1024 + 2 * (2 + reads) + 0.4 * (1 + reads + messages)
    assert kilobytes <= told(operation, "CloudWatch: KB") <= kilobytes + 2
    writes = sum(n for (name, _), n in calls.items() if name == "dynamodb")
    assert told(operation, "DynamoDB") == writes
    assert isclose(told(operation, "Lambda: GB-seconds"), megabytes / 1024, abs_tol=0.00051)


def test_the_document_counts_what_a_stage_has() -> None:
    template = synthesize(stage="prod", alarmEmail="ops@example.com")
    (acl,) = find_in(template, "AWS::WAFv2::WebACL")
    counts = {
        "WAF: web ACL": 1,
        "WAF: rules and rule groups": len(acl["Rules"]),
        "CloudWatch: metrics that alarms watch": sum(
            len(watched(alarm)) for alarm in alarms(template).values()
        ),
        "CloudWatch: dashboard": len(find_in(template, "AWS::CloudWatch::Dashboard")),
        "Secrets Manager: secrets": len(find_in(template, "AWS::SecretsManager::Secret")),
        "KMS: the topic's key, with `alarmEmail`": len(find_in(template, "AWS::KMS::Key")),
    }

    assert {name: int(FIXED[name][0]) for name in counts} == counts


def test_the_document_prices_a_stage_of_a_developer() -> None:
    template = synthesize(stage="dev")
    has = [*alarms(template).values()]
    metrics = sum(map(len, map(watched, has)))
    others = ("WAF", "KMS", "CloudWatch: metrics that alarms watch", "all")
    same = sum(float(cells[-1]) for name, cells in FIXED.items() if not name.startswith(others))

    assert find_in(template, "AWS::WAFv2::WebACL") == find_in(template, "AWS::KMS::Key") == []
    assert len(has) == 4
    assert f"four alarms with {metrics} metrics" in CHAPTER
    assert f"${same + 0.1 * metrics:.2f} and less" in CHAPTER


def test_the_sums_of_the_document_are_right() -> None:
    *rows, (_, total) = USED.items()
    for name, (*used, price, cost) in rows:
        share = sum(SHARES[o] * float(n) for o, n in zip(COUNTED, used, strict=True))
        assert isclose(share * float(price), float(cost), abs_tol=0.0051), name
    assert isclose(sum(float(cells[-1]) for _, cells in rows), float(total[-1]), abs_tol=0.001)
    *parts, (_, all_) = FIXED.items()
    for name, (number, price, cost) in parts:
        assert isclose(float(number) * float(price), float(cost), abs_tol=0.0051), name
    assert isclose(sum(float(cells[-1]) for _, cells in parts), float(all_[-1]), abs_tol=0.001)
    without_firewall = sum(float(cells[-1]) for name, cells in parts if "WAF" not in name)
    assert without_firewall <= 15
    assert f"${without_firewall:.2f} without the firewall" in CHAPTER
    assert f"0.416667 * {total[-1]} + {all_[-1]} = " in CHAPTER
    million = 0.416667 * float(total[-1]) + float(all_[-1])
    assert f" = ${million:.2f}." in CHAPTER
