"""The command line of `python -m verification`."""

import json
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from getpass import getpass
from pathlib import Path
from typing import Any, Final, Never

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.settings import STAGES
from local.stack import Stack
from verification import doctor, figures, runner, story, unknowns
from verification.runner import Check, Outcome, Result
from verification.target import STACK, Mailbox, Target

CHECKS: Final[tuple[Check, ...]] = (
    *doctor.CHECKS,
    *story.CHECKS,
    *unknowns.CHECKS,
    *figures.CHECKS,
)
"""Every check, in the order in which they run. The policy and the reports follow from it."""

LOCAL: Final = "local"
PATIENCE: Final = 120.0
"""Seconds that AWS gets to show what appears late."""
PAUSE: Final = 2.5
"""Seconds between requests to AWS: the firewall allows an address 30 public ones a minute."""


def main() -> None:
    """Check the stage that the command line names; a signal ends it in good order."""
    parser = ArgumentParser(prog="python -m verification", description=main.__doc__)
    parser.add_argument("stage", nargs="?", default="dev", choices=STAGES)
    parser.add_argument("--mailbox", default="", help="your address, or local for the emulator's")
    parser.add_argument("--policy", action="store_true", help="print the IAM policy that is needed")
    parser.add_argument("--port", type=int, help="of the local stack, if there are several")
    arguments = parser.parse_args()
    if arguments.policy:
        print(json.dumps(runner.policy(CHECKS, STACK), indent=2))
        return
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        sys.exit(verify(find(arguments.stage, arguments.mailbox, arguments.port)))
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(_number: int, _frame: object) -> Never:
    # Once is enough: a second signal must not stop the removal of the user.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def find(stage: str, mailbox: str, port: int | None = None) -> Target:
    """Return the deployed stage, or exit with what is missing."""
    if stage == LOCAL:
        stack = Stack.running(port) or sys.exit(
            "No local stack is running: start one with make run."
        )
        return describe(stage, stack.client, stack.url, local_mailbox(stack))
    try:
        return describe(stage, _client, "", _mailbox(mailbox), patience=PATIENCE, pause=PAUSE)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"password-service-{stage} cannot be read: {error}")


def describe(
    stage: str,
    client: Callable[[str], Any],
    url: str,
    mailbox: Mailbox | None,
    *,
    patience: float = 0,
    pause: float = 0,
) -> Target:
    """Return a stage with what CloudFormation knows of it; `url` replaces its own address."""
    name, cloudformation = f"password-service-{stage}", client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    resources: dict[str, list[str]] = {}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    for page in pages:
        for one in page["StackResourceSummaries"]:
            resources.setdefault(one["ResourceType"], []).append(one["PhysicalResourceId"])
    return Target(
        stage=stage,
        url=url or outputs["ApiUrl"].rstrip("/"),
        outputs=outputs,
        resources=resources,
        client=client,
        mailbox=mailbox,
        patience=patience,
        pause=pause,
    )


@cache
def _client(service: str) -> Any:  # noqa: ANN401 - as boto3 has it
    retries = Config(retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client(service, config=retries)  # type: ignore[call-overload]


def local_mailbox(stack: Stack) -> Mailbox:
    """Return the emulator's mailbox, which has the mails of every address."""

    def has_notice(address: str) -> bool:
        stack.settle()
        return any(mail.to == address and not mail.code for mail in stack.mails())

    return Mailbox("inbox@example.com", lambda address: stack.code(address) or "", has_notice)


def _mailbox(address: str) -> Mailbox | None:
    """Return a mailbox that a person reads, and types from."""
    if not address and sys.stdin.isatty():
        address = input("An address where you can read a code, or nothing to go without: ").strip()
    if not address:
        return None
    if address == LOCAL or "@" not in address:
        sys.exit(f"MAILBOX must be an address that you can read, not {address!r}.")
    return Mailbox(
        address,
        lambda to: getpass(f"The code that was mailed to {to}: ").strip(),
        lambda to: input(f"Has {to} got a mail about the change? [y/N] ").lower().startswith("y"),
    )


def verify(target: Target) -> int:
    """Print each result, write the reports, and return 1 if there is a weakness."""
    results: list[Result] = []
    with target:
        for result in runner.run(target, CHECKS):
            print(result, flush=True)
            results.append(result)
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    for name, write in (("json", runner.to_json), ("md", runner.to_markdown)):
        path = Path(f"verification.{name}")
        path.write_text(write(target.stage, at, results))
    found = [one for one in results if one.finding.outcome is Outcome.WEAKNESS]
    print(f"\n{runner.summarize(results)} The report is in verification.md.")
    for one in found:
        print(f"{one.check.id}: {one.check.remedy}")
    return 1 if found else 0
