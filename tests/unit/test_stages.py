"""How a service is found in a stack that has other things, too."""

import json

import boto3
import pytest
from botocore.stub import Stubber

from verification.stages import describe
from verification.target import Target

FUNCTION = "functions.reset_password.lambda_function.handler"


def find(construct: str, **resources: tuple[str, str]) -> Target:
    """Describe a stack by the resources' logical ID, path and handler; others have no handler."""
    template = {
        name: {
            "Type": "AWS::Lambda::Function" if handler else "AWS::ApiGateway::DomainName",
            "Metadata": {"aws:cdk:path": path},
            "Properties": {"Handler": handler} if handler else {},
        }
        for name, (path, handler) in resources.items()
    }
    listed = [
        {
            "LogicalResourceId": name,
            "PhysicalResourceId": f"{name}.example.com",
            "ResourceType": one["Type"],
            "LastUpdatedTimestamp": 0,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for name, one in template.items()
    ]
    client = boto3.client("cloudformation", region_name="eu-west-1")
    with Stubber(client) as stubber:
        body = json.dumps({"Resources": template})
        stubber.add_response("get_template", {"TemplateBody": body}, {"StackName": "Shop"})
        stubber.add_response("list_stack_resources", {"StackResourceSummaries": listed})
        return describe(lambda _: client, "Shop", construct)


ONE = {"A": ("Shop/A/Reset/Resource", FUNCTION), "DomainA": ("Shop/A/Domain", "")}
OTHER = {"B": ("Shop/AB/Reset/Resource", FUNCTION), "DomainB": ("Shop/AB/Domain", "")}
FOREIGN = {"C": ("Shop/C/Resource", "index.reset_password"), "DomainC": ("Shop/C/Domain", "")}


def test_a_construct_is_found_by_its_path_among_others_with_similar_names() -> None:
    target = find("Shop/A", **ONE, **OTHER, **FOREIGN)

    assert (target.name, target.url) == ("Shop/A", "https://DomainA.example.com")
    assert target.resources["AWS::Lambda::Function"] == ["A.example.com"]


@pytest.mark.parametrize(
    ("construct", "resources", "sentence"),
    [
        (
            "",
            ONE | OTHER,
            "several services: choose one with CONSTRUCT=Shop/A or CONSTRUCT=Shop/AB.",
        ),
        ("Shop/Z", ONE, "no password service there."),
        ("", FOREIGN, "no password service there."),
    ],
)
def test_a_choice_that_is_missing_or_wrong_is_said_in_a_sentence(
    construct: str, resources: dict[str, tuple[str, str]], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        find(construct, **resources)

    assert str(ended.value) == f"Shop has {sentence}"
