"""What the firewall lets pass, what it stops, and what it keeps."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from apidocs.openapi import handler_of
from functions.api.body import MAX_LENGTH
from functions.fields import ClientMetadata, Field, Flag, Text
from functions.operations import Operation
from infra.settings import STAGES
from tests.infra.conftest import OTHER_DEV, OTHER_PROD, find_in, synthesize, synthesize_stage
from tests.support.contract import ids

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)
deployed = pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "local"])

NO_BODIES = {"AWSManagedRulesAmazonIpReputationList"}
"""The groups of AWS that we use and that read no body."""


def acl(stage: str = "prod") -> dict[str, Any]:
    (found,) = find_in(synthesize_stage(stage), "AWS::WAFv2::WebACL")
    return found


def rules(stage: str = "prod") -> dict[str, dict[str, Any]]:
    return {rule["Name"]: rule for rule in acl(stage)["Rules"]}


def blocks(rule: Mapping[str, Any]) -> bool:
    (action,) = rule.get("Action") or rule["OverrideAction"]
    return action not in {"Count", "Allow"}


def limit(name: str) -> int:
    rate = rules()[name]["Statement"]["RateBasedStatement"]
    assert rate["AggregateKeyType"] == "IP"
    assert rate["EvaluationWindowSec"] == 60
    return int(rate["Limit"])


def matches(statement: Mapping[str, Any], *, path: str = "", body: int = 0) -> bool:
    """Evaluate a request as WAF documents it, for the statements that we use."""
    ((kind, inner),) = statement.items()
    match kind:
        case "SizeConstraintStatement":
            limits = acl()["AssociationConfig"]["RequestBody"]["API_GATEWAY"]
            inspected = 1024 * int(limits["DefaultSizeInspectionLimit"].removeprefix("KB_"))
            assert inner["ComparisonOperator"] == "GT"
            if body > inspected:
                return bool(inner["FieldToMatch"]["Body"]["OversizeHandling"] == "MATCH")
            return bool(body > inner["Size"])
        case "ByteMatchStatement":
            (transformation,) = inner["TextTransformations"]
            assert inner["FieldToMatch"] == {"UriPath": {}}
            assert inner["PositionalConstraint"] == "CONTAINS"
            seen = unquote(path) if transformation["Type"] == "URL_DECODE" else path
            return inner["SearchString"] in seen
        case "OrStatement":
            return any(matches(each, path=path, body=body) for each in inner["Statements"])
    raise NotImplementedError(kind)


@deployed
def test_the_firewall_protects_the_stage_of_the_api(stage: str) -> None:
    template = synthesize_stage(stage)
    (association,) = find_in(template, "AWS::WAFv2::WebACLAssociation")
    found = {r["Type"]: name for name, r in template["Resources"].items()}

    assert association["WebACLArn"] == {"Fn::GetAtt": [found["AWS::WAFv2::WebACL"], "Arn"]}
    *_, api, between, stage_name = association["ResourceArn"]["Fn::Join"][1]
    assert (api, between, stage_name) == (
        {"Ref": found["AWS::ApiGateway::RestApi"]},
        "/stages/",
        {"Ref": found["AWS::ApiGateway::Stage"]},
    )
    assert acl(stage)["Scope"] == "REGIONAL"


def test_nothing_of_the_firewall_is_left_where_it_is_off() -> None:
    for template in (synthesize_stage("local"), synthesize(**OTHER_DEV)):
        assert "AWS::WAFv2" not in json.dumps(template)
        assert "aws-waf-logs" not in json.dumps(template)


def test_in_counting_mode_no_rule_blocks_and_none_is_missing() -> None:
    (counting,) = find_in(synthesize(**OTHER_PROD), "AWS::WAFv2::WebACL")

    assert counting["DefaultAction"] == {"Allow": {}}
    assert not [rule["Name"] for rule in counting["Rules"] if blocks(rule)]
    assert [rule["Name"] for rule in counting["Rules"]] == list(rules())


@deployed
def test_attacks_in_bodies_are_counted_and_a_body_is_blocked_only_by_its_size(stage: str) -> None:
    blocking = {name for name, rule in rules(stage).items() if blocks(rule)}
    by_group = {
        name
        for name, rule in rules(stage).items()
        if rule["Statement"].get("ManagedRuleGroupStatement", {"Name": None})["Name"] in NO_BODIES
    }

    assert blocking == by_group | {"RequestsPerAddress", "PublicPerAddress", "BodySize"}
    assert len(by_group) == len(NO_BODIES)
    assert {
        rule["Statement"]["ManagedRuleGroupStatement"]["Name"]
        for name, rule in rules(stage).items()
        if name not in blocking
    } == {"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"}
    for name in blocking - by_group:
        fields = re.findall(r'"FieldToMatch": {"(\w+)"', json.dumps(rules(stage)[name]))
        assert set(fields) <= {"UriPath", "Body"}
        assert ("Body" in fields) == (name == "BodySize")


def fullest(field: Field[Any]) -> object:
    """The value of a field that is written with the most bytes."""
    key = "\U0001f511"  # twelve bytes when escaped, the most that a character can take
    match field:
        case Text():
            return key * field.max_length
        case Flag():
            return False
        case ClientMetadata():
            names = (f"{n}".ljust(field.max_name, key) for n in range(field.max_properties))
            return dict.fromkeys(names, key * field.max_value)
    raise NotImplementedError(field)


@each_operation
def test_the_largest_valid_request_passes(operation: Operation) -> None:
    """Every character is escaped, in six bytes or twelve."""
    made = handler_of(operation).request_type
    fields = made.fields.values()
    body: dict[str, Any] = {field.name: fullest(field) for field in fields if field.empty}
    body["options"] = {field.name: fullest(field) for field in fields if not field.empty}
    made(body)  # or it raises: it is valid
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    length = sum(12 if ord(character) > 0xFFFF else 6 for character in text)

    assert length <= MAX_LENGTH
    assert not matches(rules()["BodySize"]["Statement"], body=length)


@pytest.mark.parametrize("body", [MAX_LENGTH + 1, 10_000_000])
def test_a_body_larger_than_any_valid_one_is_blocked(body: int) -> None:
    rule = rules()["BodySize"]

    assert blocks(rule)
    assert matches(rule["Statement"], body=body)


def test_a_household_passes() -> None:
    one_person = sum(o.attempts_per_hour for o in Operation if not o.signed_in)

    assert limit("PublicPerAddress") >= 2 * one_person


def test_one_address_cannot_use_up_the_throttle_of_any_method() -> None:
    """A public method takes hundreds of addresses."""
    for operation in Operation:
        name = "RequestsPerAddress" if operation.signed_in else "PublicPerAddress"
        addresses = 60 * operation.requests_per_second / limit(name)
        assert addresses > 1
        assert operation.signed_in or addresses >= 200


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/v1/reset-password", True),
        ("/v1/reset-password/", True),
        ("/v1//reset-password", True),
        ("/v1/reset%2Dpass%77ord", True),
        ("/v1/confirm-reset-password", True),
        ("/v1/password-policy", True),
        ("/v1/update-password", False),
    ],
)
def test_public_paths_have_a_limit_of_their_own_however_they_are_written(
    path: str, counted: bool
) -> None:
    rate = rules()["PublicPerAddress"]["Statement"]["RateBasedStatement"]

    assert matches(rate["ScopeDownStatement"], path=path) == counted
    assert (
        "ScopeDownStatement"
        not in (rules()["RequestsPerAddress"]["Statement"]["RateBasedStatement"])
    )


@deployed
def test_nothing_that_is_kept_holds_a_body_or_a_token(stage: str) -> None:
    protections = acl(stage)["DataProtectionConfig"]["DataProtections"]
    hidden = {
        (p["Field"]["FieldType"], key)
        for p in protections
        for key in p["Field"].get("FieldKeys", ["every"])
    }

    assert hidden >= {("BODY", "every"), ("SINGLE_HEADER", "authorization")}
    assert hidden >= {("QUERY_STRING", "every"), ("SINGLE_HEADER", "cookie")}
    assert ("SINGLE_HEADER", "idempotency-key") in hidden
    assert {kind for kind, key in hidden if key != "every"} == {"SINGLE_HEADER"}
    assert {p["Action"] for p in protections} == {"SUBSTITUTION"}
    # An exception would show what a rule found, which is a piece of the body.
    assert "Exclude" not in json.dumps(protections)
    visible = [acl(stage), *acl(stage)["Rules"]]
    assert not any(each["VisibilityConfig"]["SampledRequestsEnabled"] for each in visible)


@deployed
def test_what_the_firewall_does_is_counted_and_logged(stage: str) -> None:
    template = synthesize_stage(stage)
    (logging,) = find_in(template, "AWS::WAFv2::LoggingConfiguration")
    ((name, group),) = (
        (name, resource["Properties"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Logs::LogGroup" and "LogGroupName" in resource["Properties"]
    )
    metrics = [each["VisibilityConfig"] for each in (acl(stage), *acl(stage)["Rules"])]

    # The name that WAF wants, and after it a part of the stack's id, which no other stack has.
    *_, (first, unique) = group["LogGroupName"]["Fn::Join"]
    assert first.startswith("aws-waf-logs-")
    assert "AWS::StackId" in json.dumps(unique)
    # WAF documents the ARN of the group alone; its attribute Arn ends with `:*`.
    *_, before, referred = logging["LogDestinationConfigs"][0]["Fn::Join"][1]
    assert (before, referred) == (":log-group:", {"Ref": name})
    # An account may have ten policies that are not a group's own.
    assert find_in(template, "AWS::Logs::ResourcePolicy") == []
    (statement,) = group["ResourcePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    *_, own, same, streams = statement["Resource"]["Fn::Join"][1]
    assert (own, same, streams) == (f":log-group:{first}", unique, ":log-stream:*")
    assert "LoggingFilter" not in logging
    assert all(metric["CloudWatchMetricsEnabled"] for metric in metrics)
    assert len({metric["MetricName"] for metric in metrics}) == len(metrics)


@deployed
def test_each_rule_has_a_priority_of_its_own_and_one_action_of_its_kind(stage: str) -> None:
    found = rules(stage).values()

    assert sorted(rule["Priority"] for rule in found) == list(range(len(acl(stage)["Rules"])))
    for rule in found:
        kind = "OverrideAction" if "ManagedRuleGroupStatement" in rule["Statement"] else "Action"
        assert {key for key in rule if key.endswith("Action")} == {kind}
