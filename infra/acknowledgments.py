"""The findings of cdk-nag that are meant to be so."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Acknowledge findings about a construct: the reason of each, by the id of its rule."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions-{id_}", reason=text) for id_, text in reasons.items())
    )


def acknowledge_type(construct: IConstruct, reason: str) -> None:
    """Acknowledge a resource whose type this CDK does not know yet."""
    finding = Acknowledgment(id="CloudFormation-Validate::F3006", reason=reason)
    Validations.of(construct).acknowledge(finding)


def acknowledge_policy(construct: IConstruct, name: str) -> None:
    """Acknowledge a service role's policy that AWS manages."""
    arn = f"arn:<AWS::Partition>:iam::aws:policy/service-role/{name}"
    acknowledge(construct, {f"IAM4[Policy::{arn}]": "The policy that AWS made for this purpose"})
