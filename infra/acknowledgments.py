"""The findings of cdk-nag, in its versions 2 and 3, that are meant to be so."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import CfnResource
from constructs import IConstruct

_ACKNOWLEDGED: Final = "aws:cdk:acknowledged-rules"
"""Where `Validations.acknowledge` writes, which not every CDK has. cdk-nag 3 reads it."""


def acknowledge(construct: IConstruct | None, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings about a construct: the reason of each, by the ID of its rule.

    The construct must be whole, because cdk-nag 2 reads only what is written to its resources.
    """
    if construct is None:
        return
    construct.node.add_metadata(
        _ACKNOWLEDGED, {f"AwsSolutions-{rule}": reason for rule, reason in reasons.items()}
    )
    for child in construct.node.find_all():
        if not isinstance(child, CfnResource):
            continue
        rules = (child.get_metadata("cdk_nag") or {}).get("rules_to_suppress", [])
        rules += (_suppress(rule, reason) for rule, reason in reasons.items())
        child.add_metadata("cdk_nag", {"rules_to_suppress": rules})


def _suppress(rule: str, reason: str) -> dict[str, object]:
    name, _, finding = rule.rstrip("]").partition("[")
    found = {"applies_to": [finding]} if finding else {}
    return {"id": f"AwsSolutions-{name}", "reason": reason, **found}


def acknowledge_type(construct: IConstruct, reason: str) -> None:
    """Acknowledge a resource whose type this CDK does not know yet."""
    construct.node.add_metadata(_ACKNOWLEDGED, {"CloudFormation-Validate::F3006": reason})


def acknowledge_policy(construct: IConstruct | None, name: str) -> None:
    """Acknowledge a service role's policy that AWS manages."""
    arn = f"arn:<AWS::Partition>:iam::aws:policy/service-role/{name}"
    acknowledge(construct, {f"IAM4[Policy::{arn}]": "The policy that AWS made for this purpose"})
