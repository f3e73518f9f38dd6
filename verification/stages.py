"""Find the deployment that is to be checked: on AWS, or the stack of `make run`."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from getpass import getpass
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from verification.target import Mailbox, Target, name_function, wait_for

PATIENCE: Final = 120.0
"""Seconds to wait for what appears late on AWS."""
LOCAL_PATIENCE: Final = 300.0
"""Seconds to wait for a mail of the local stack."""
PAUSE: Final = 2.5
"""Seconds between requests to AWS: the firewall allows an address 30 public ones a minute."""
_CREDENTIALS: Final = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, until"
    " `aws sts get-caller-identity` names your account."
)
_STACK: Final = (
    "Check its name, AWS_REGION and the connection. `make deploy` deploys a stage, and STACK= names"
    " a stack of your own."
)
"""What to do next."""
RUNS: Final = Path(__file__).parents[1] / ".local" / "runs"
"""Where `make run` describes each stack, in a folder with the name of its port."""


def require_credentials() -> None:
    """Exit if the environment has no credentials of AWS, and say what to set."""
    try:
        found = boto3.Session().get_credentials()
    except BotoCoreError as error:
        sys.exit(f"The credentials of AWS cannot be read: {error}. {_CREDENTIALS}")
    if found is None:
        sys.exit(f"There are no credentials of AWS. {_CREDENTIALS}")


def find_deployed(stack: str, construct: str, mailbox: Mailbox | None) -> Target:
    """Return a deployment on AWS, or exit with what is missing."""
    try:
        return describe(client, stack, construct, mailbox=mailbox, patience=PATIENCE, pause=PAUSE)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"{stack} cannot be read: {error}. {_STACK}")


def find_local(port: int) -> Target:
    """Return the stack that `make run` deployed on this port, or exit with what is missing."""
    try:
        document = json.loads((RUNS / str(port) / "stack.json").read_text())
        _mails(document["mailbox"])
    except (OSError, urllib3.exceptions.HTTPError):
        sys.exit(f"No local stack is running on port {port}: start one with make run.")
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        # The stack has a key of its own, and boto3 fails for a profile that is not there.
        os.environ.pop(name, None)

    @cache
    def client(service: str) -> Any:  # noqa: ANN401 - as boto3 has it
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=document["endpoint"],
            region_name=document["region"],
            aws_access_key_id=document["accessKeyId"],
            aws_secret_access_key=document["secretAccessKey"],
            config=Config(proxies={}),  # no proxy reaches this machine's loopback
        )

    return describe_local(client, document["url"], document["mailbox"])


def describe_local(client: Callable[[str], Any], url: str, mailbox: str) -> Target:
    """Return the local stage; `mailbox` is the address of every mail so far, as JSON."""

    def codes(address: str) -> list[str]:
        texts = (mail["BodyText"] for mail in _mails(mailbox) if address in mail["To"])
        return [code for text in texts for code in re.findall(r"\b\d{6}\b", text)]

    def has_notice(address: str) -> bool:
        count = sum(address in mail["To"] for mail in _mails(mailbox))
        return count > len(codes(address))

    inbox = Mailbox(
        "inbox@example.com",
        lambda address: "".join(wait_for(lambda: codes(address), LOCAL_PATIENCE)[-1:]),
        lambda address: wait_for(lambda: has_notice(address), LOCAL_PATIENCE),
    )
    return describe(client, "password-service-local", url=url, mailbox=inbox)


def _mails(mailbox: str) -> list[dict[str, Any]]:
    answer = urllib3.request("GET", mailbox, retries=False, timeout=30).json()
    return [mail for mails in answer["messages"].values() for mail in mails]


def describe(
    client: Callable[[str], Any],
    stack: str,
    construct: str = "",
    *,
    url: str = "",
    mailbox: Mailbox | None = None,
    patience: float = 0,
    pause: float = 0,
) -> Target:
    """Return the service in a stack or in one that is nested in it.

    The path of its construct is needed if there are several. Only the local stage has a `url`,
    because AWS does not give it its address.
    """
    cloudformation = client("cloudformation")
    parts = [
        _read(name, resources, cloudformation.get_template(StackName=name), construct)
        for name, resources in _list(cloudformation, stack)
    ]
    part = _choose(stack, [one for one in parts if one.functions])
    return Target(
        stacks=[one.stack for one in parts],
        name=construct or stack,
        reserved=part.reserved,
        local=bool(url),
        url=url or _address(part.resources, cloudformation.meta.region_name),
        resources=part.resources,
        client=client,
        mailbox=mailbox,
        patience=patience,
        pause=pause,
    )


class Part(NamedTuple):
    """The service's part of a stack, or nothing of it."""

    stack: str
    functions: Sequence[tuple[str, str]]
    """The path and the name of each function of the service."""
    reserved: frozenset[str]
    resources: Mapping[str, Sequence[str]]
    """The physical IDs, by type."""


def _list(cloudformation: Any, stack: str) -> Iterator[tuple[str, list[dict[str, str]]]]:  # noqa: ANN401
    """Give the resources of a stack, and then of those that are nested in it, as by SAM."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [one for page in pages for one in page["StackResourceSummaries"]]
    yield stack, resources
    for one in resources:
        if one["ResourceType"] == "AWS::CloudFormation::Stack":
            # The ID of a stack is its ARN.
            yield from _list(cloudformation, one["PhysicalResourceId"].split("/")[1])


def _read(
    stack: str, resources: Sequence[Mapping[str, str]], answer: Mapping[str, Any], construct: str
) -> Part:
    body = answer["TemplateBody"]
    # A text is YAML, which has neither the CDK's paths nor our functions.
    template = body["Resources"] if isinstance(body, dict) else {}
    paths = {
        name: one.get("Metadata", {}).get("aws:cdk:path", "") for name, one in template.items()
    }
    ours = {
        name
        for name, path in paths.items()
        if not construct or path.startswith(f"{construct.rstrip('/')}/")
    }
    functions = {
        name: function
        for name, one in template.items()
        if name in ours and (function := name_function(one.get("Properties", {})))
    }
    ids: dict[str, list[str]] = {}
    for one in resources:
        if one["LogicalResourceId"] in ours:
            ids.setdefault(one["ResourceType"], []).append(one["PhysicalResourceId"])
    return Part(
        stack=stack,
        functions=[(paths[name], function) for name, function in functions.items()],
        reserved=frozenset(
            function
            for name, function in functions.items()
            if "ReservedConcurrentExecutions" in template[name]["Properties"]
        ),
        resources=ids,
    )


def _choose(stack: str, parts: Sequence[Part]) -> Part:
    """Exit unless there is one stack that has each function of the service once."""
    if not parts:
        sys.exit(f"{stack} has no password service there.")
    if len(parts) > 1:
        choice = " or ".join(f"STACK={one.stack}" for one in parts)
        sys.exit(f"{stack} has several services: choose one with {choice}.")
    (part,) = parts
    first = part.functions[0][1]
    several = [path.split("/") for path, function in part.functions if function == first]
    if len(several) > 1:
        while len({names[-1] for names in several}) == 1:
            several = [names[:-1] for names in several]
        choice = " or ".join(f"CONSTRUCT={'/'.join(names)}" for names in several)
        sys.exit(f"{stack} has several services: choose one with {choice}.")
    return part


def _address(resources: Mapping[str, Sequence[str]], region: str) -> str:
    if domains := resources.get("AWS::ApiGateway::DomainName"):
        return f"https://{domains[0]}"
    (api,) = resources["AWS::ApiGateway::RestApi"]
    (stage,) = resources["AWS::ApiGateway::Stage"]
    return f"https://{api}.execute-api.{region}.amazonaws.com/{stage}"


@cache
def client(service: str) -> Any:  # noqa: ANN401 - as boto3 has it
    """Return a client of the account that the environment names."""
    retries = Config(retries={"mode": "standard", "total_max_attempts": 4})
    # boto3 itself reads AWS_DEFAULT_REGION, which the AWS CLI reads only after this one.
    region = os.environ.get("AWS_REGION")
    return boto3.client(service, region_name=region, config=retries)  # type: ignore[call-overload]


def ask_mailbox(address: str) -> Mailbox | None:
    """Return a mailbox that a person reads, and types from."""
    if not address and sys.stdin.isatty():
        address = input("An address where you can read a code, or nothing to go without: ").strip()
    if not address:
        return None
    if "@" not in address:
        sys.exit(f"MAILBOX must be an address that you can read, not {address!r}.")
    return Mailbox(
        address,
        lambda to: getpass(f"The code that was mailed to {to}: ").strip(),
        lambda to: input(f"Has {to} got a mail about the change? [y/N] ").lower().startswith("y"),
    )
