"""Find what would stop the deletion of a stack half-way."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


def refuse_with_rules(client: Callable[[str], Any], stack: str) -> int:
    """Return 1 if somebody's rules are on the stack's event bus, and say so.

    EventBridge deletes no bus that has rules. By then, the API and its functions are gone.
    """
    try:
        rules = list(_find_rules(client, stack))
    except (BotoCoreError, ClientError) as error:
        # The deletion itself says what is wrong with the stack or the credentials.
        print(f"The rules on the event bus cannot be read: {error}", file=sys.stderr)
        return 0
    if rules:
        steps = "docs/operations.md#destroying-a-stage"
        print(f"Delete these rules first, as {steps} says: {', '.join(rules)}.", file=sys.stderr)
    return 1 if rules else 0


def _find_rules(client: Callable[[str], Any], stack: str) -> Iterator[str]:
    pages = client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=stack):
        for one in page["StackResourceSummaries"]:
            # A bus of a deletion that failed is asked for again; one that is gone has no rules.
            there = one["ResourceStatus"] != "DELETE_COMPLETE"
            if one["ResourceType"] == "AWS::Events::EventBus" and there:
                listed = client("events").list_rules(EventBusName=one["PhysicalResourceId"])
                yield from (rule["Name"] for rule in listed["Rules"])
