"""The template of a release: what an adopter chooses, and what CloudFormation does with it."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from functions.operations import FUNCTIONS, Operation
from functions.settings import names_read_by
from infra.settings import RULES, STAGE_NAME, Deployment
from infra.template import PARAMETERS
from release.template import synthesize
from tests.infra.conftest import find_in, variables
from tests.infra.test_service import IDS, PUBLIC
from tests.infra.test_settings import NO_ORIGINS
from tests.support import ROOT

INLINE, FROM_S3 = 51_200, 1_000_000
"""Bytes that CloudFormation takes in a request, and from S3."""
STAGE_VARIABLE = 512
"""Characters that API Gateway takes as the value of one."""
SNAPSHOTS = (
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::Lambda::Version",
)
"""The parts of an API's deployment. A new one needs another logical ID, as a version does."""


@cache
def template() -> dict[str, Any]:
    return dict(json.loads(synthesize()))


def references(value: object) -> Iterator[str]:
    """The names of everything that a value refers to, and of the conditions in it."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in {"Ref", "Condition"}:
                yield one
            elif key in {"Fn::If", "Fn::GetAtt"}:
                yield one[0]
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def parameter(setting: str) -> str:
    return "".join(map(str.capitalize, setting.split("_")))


def test_the_logical_ids_are_those_of_the_construct_without_a_canary() -> None:
    ids = {name for name, one in template()["Resources"].items() if one["Type"] in PUBLIC}

    known = set(json.loads(IDS.read_text()))
    assert ids == {name for name in known if not name.startswith("PasswordsDeployments")}


def test_two_runs_write_the_same_bytes_and_nothing_that_only_the_cdk_reads() -> None:
    first, second = synthesize(), synthesize()

    assert first == second
    assert INLINE < len(first.encode()) < FROM_S3
    assert first.count("\n") == 1
    assert re.findall("aws:cdk|AWS::CDK|cdk-hnb659fds|BootstrapVersion|cdk.nag", first) == []


def test_every_choice_reaches_what_it_is_about_and_the_rest_is_that_of_prod() -> None:
    prod = Deployment.of_stage("prod")
    read = {name for function in FUNCTIONS for name in names_read_by(function)}
    made = {"pseudonym_key", "queue_url", "support_queue_arn", "table_name", "event_bus_name"}
    made |= {"mail_configuration_set"}

    for function in FUNCTIONS:
        for name, value in variables(template(), function).items():
            setting = name.lower()
            if setting in PARAMETERS:
                assert parameter(setting) in set(references(value))
            elif setting not in made:
                assert value == prod.environment()[name]

    others = {*PARAMETERS} - read
    assert others == {"alarm_email", "firewall", "cloud_watch_role"}
    conditions = json.dumps(template()["Conditions"])
    assert [name for name in others if parameter(name) not in conditions] == []
    assert {*template()["Parameters"]} == {"CodeBucket", "CodeKey", *map(parameter, PARAMETERS)}


def test_a_changed_parameter_takes_effect_without_a_new_version_or_deployment() -> None:
    chosen = {parameter(name) for name in PARAMETERS}

    for kind in SNAPSHOTS:
        for properties in find_in(template(), kind):
            assert chosen & set(references(properties)) == set(), kind
    assert find_in(template(), "AWS::Lambda::Version") == []
    aliases = find_in(template(), "AWS::Lambda::Alias")
    assert [one["FunctionVersion"] for one in aliases] == ["$LATEST"] * len(FUNCTIONS)


def test_two_stacks_in_an_account_share_no_name() -> None:
    """A stack or a stage has it in the account. The other resources get names of CloudFormation."""
    named = ("EventBus", "LogGroup", "QueryDefinition", "RestApi")
    names = [
        json.dumps(properties.get("Name") or properties.get("LogGroupName"))
        for one in template()["Resources"].values()
        if one["Type"].endswith(named) and (properties := one["Properties"])
    ]

    assert len(names) > len(named)
    shared = [one for one in names if not re.search('null|"(AWS::StackName|Stage)"', one)]
    assert shared == []


def test_a_preflight_asks_a_stage_variable_for_the_origins() -> None:
    (stage,) = find_in(template(), "AWS::ApiGateway::Stage")
    methods = find_in(template(), "AWS::ApiGateway::Method")
    preflights = [one for one in methods if one["HttpMethod"] == "OPTIONS"]

    assert stage["Variables"] == {
        "allowedOrigins": {"Fn::Join": ["", [{"Ref": "AllowedOrigins"}, ","]]}
    }
    assert len(preflights) == len(Operation)
    for one in preflights:
        (response,) = one["Integration"]["IntegrationResponses"]
        header = "method.response.header.Access-Control-Allow-Origin"
        # No origin is allowed but by the template.
        assert response["ResponseParameters"][header] == "'none'"
        assert (
            "${stageVariables.allowedOrigins}" in response["ResponseTemplates"]["application/json"]
        )


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("MailFrom", {"AWS::SES::ConfigurationSet", "AWS::SES::ConfigurationSetEventDestination"}),
        ("AlarmEmail", {"AWS::SNS::Subscription"}),
        (
            "Firewall",
            {
                "AWS::Logs::LogGroup",
                "AWS::WAFv2::LoggingConfiguration",
                "AWS::WAFv2::WebACL",
                "AWS::WAFv2::WebACLAssociation",
            },
        ),
        ("CloudWatchRole", {"AWS::ApiGateway::Account", "AWS::IAM::Role"}),
    ],
)
def test_a_parameter_leaves_out_what_nobody_wants(value: str, kinds: set[str]) -> None:
    """A reference to a resource that is left out would be found by cfn-lint (rule W1001)."""
    resources = template()["Resources"].values()
    name = f"Has{value}"

    assert {one["Type"] for one in resources if one.get("Condition") == name} == kinds


def test_every_rule_of_the_firewall_counts_unless_it_is_to_block() -> None:
    (acl,) = find_in(template(), "AWS::WAFv2::WebACL")
    actions = [one.get("Action") or one["OverrideAction"] for one in acl["Rules"]]

    (name,) = {one["Fn::If"][0] for one in actions}
    assert template()["Conditions"][name] == {"Fn::Equals": [{"Ref": "Firewall"}, "block"]}
    assert all(one["Fn::If"][1] in ({"Block": {}}, {"None": {}}) for one in actions)
    assert all(one["Fn::If"][2] == {"Count": {}} for one in actions)


VALUES: dict[str, tuple[list[str], list[str]]] = {
    "user_pool_id": (["eu-west-1_AbCdEfGhI", "us-gov-east-1_a1"], ["", "AbCdEfGhI", "a_b/c"]),
    "user_pool_client_id": (["1h57kf5cpq17m0eml12EXAMPLE"], ["", "a b", "a,b", "a-b"]),
    "allowed_client_ids": (["", "4exampleclient,5exampleweb"], ["a, b", ",a", "a,"]),
    "allowed_origins": (
        ["", "https://a.example,capacitor://localhost", "http://localhost:3000"],
        [*NO_ORIGINS, "https://a.example,", "https://a.example, https://b.example", "http://[::1]"],
    ),
    "sign_in_attributes": (["", "email", "email,phone_number"], ["username"]),
    "mail_from": (["", "no-reply@mail.example.com"], ["example.com", "a@b", "a@b.example@c"]),
    "mail_name": (["", "Acme & Söhne, Inc."], ["Acme <x>", '"Acme"', "a" * 65, "a\nb", "A\u3000K"]),
    "alarm_email": (["", "ops@example.com"], ["ops", "@", "a b@example.com"]),
    "stage": (["prod", "shop_2"], ["", "my shop", "a" * 65]),
    "firewall": (["block", "count", "off"], ["", "on"]),
    "cloud_watch_role": (["true", "false"], ["", "yes"]),
}
"""Values of each parameter that CloudFormation takes, and some that it refuses."""


@pytest.mark.parametrize("setting", PARAMETERS)
def test_a_parameter_takes_only_what_the_setting_takes_and_says_what_that_is(setting: str) -> None:
    declared = template()["Parameters"][parameter(setting)]
    most, choices = declared.get("MaxLength", 1000), declared.get("AllowedValues", [])
    pattern = re.compile(declared.get("AllowedPattern", "|".join(choices)), re.ASCII)

    def takes(value: str) -> bool:
        return pattern.fullmatch(value) is not None and len(value) <= most

    right, wrong = VALUES[setting]
    assert [value for value in right if not takes(value)] == []
    assert [value for value in wrong if takes(value)] == []
    assert takes(declared.get("Default", right[0]))
    for value in right:
        RULES.get(setting, STAGE_NAME).read(value)
    assert declared["ConstraintDescription"].startswith("must be ")


def test_the_longest_list_of_origins_fits_into_the_stage_variable() -> None:
    longest = template()["Parameters"]["AllowedOrigins"]["MaxLength"]

    assert len("," * longest + ",") == STAGE_VARIABLE


def test_the_document_names_every_parameter_and_output() -> None:
    text = (ROOT / "docs/adopting.md").read_text()

    named = set(re.findall(r"`([A-Z]\w+)`", text))
    assert {*template()["Parameters"], *template()["Outputs"]} <= named
