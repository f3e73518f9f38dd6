"""The firewall passes, stops and logs the right requests."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from apidocs.openapi import handler_of
from functions.api.body import MAX_LENGTH
from functions.fields import ClientMetadata, Field, Flag, Text
from functions.operations import Operation
from functions.settings import Runtime
from infra.settings import STAGES, Deployment
from tests.infra.conftest import (
    IMPORTED,
    MAILS,
    OTHER_DEV,
    OTHER_PROD,
    find_in,
    synthesize,
    synthesize_stage,
)
from tests.support.contract import ids

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)
WALLED = [stage for stage in STAGES if Deployment.of_stage(stage).firewall != "off"]
deployed = pytest.mark.parametrize("stage", WALLED)

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


TRANSFORMATIONS: dict[str, Callable[[str], str]] = {
    "NONE": str,
    "LOWERCASE": str.lower,
    "URL_DECODE": unquote,
}
POSITIONS: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS": str.__contains__,
    "EXACTLY": str.__eq__,
    "STARTS_WITH": str.startswith,
}


def counts(rule: str, servers: str = "", **request: Any) -> bool:
    """Whether the rate of a rule counts a request, where two pages and an app may call."""
    (found,) = find_in(
        synthesize(**MAILS, firewall="block", serverCallers=servers), "AWS::WAFv2::WebACL"
    )
    (rate,) = (
        one["Statement"]["RateBasedStatement"] for one in found["Rules"] if one["Name"] == rule
    )
    return matches(rate["ScopeDownStatement"], **request)


def limit(name: str) -> int:
    rate = rules()[name]["Statement"]["RateBasedStatement"]
    assert rate["AggregateKeyType"] == "IP"
    assert rate["EvaluationWindowSec"] == 60
    return int(rate["Limit"])


def matches(statement: Mapping[str, Any], *, path: str = "", body: int = 0, **headers: str) -> bool:
    """Evaluate a request as WAF documents it, for the statements that we use."""

    def nested(one: Mapping[str, Any]) -> bool:
        return matches(one, path=path, body=body, **headers)

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
            ((field, detail),) = inner["FieldToMatch"].items()
            seen = path if field == "UriPath" else headers.get(detail["Name"].replace("-", "_"), "")
            seen = TRANSFORMATIONS[transformation["Type"]](seen)
            search = inner["SearchString"]
            text = search if isinstance(search, str) else json.dumps(search)
            return POSITIONS[inner["PositionalConstraint"]](seen, text)
        case "NotStatement":
            return not nested(inner["Statement"])
        case "OrStatement" | "AndStatement":
            assert len(inner["Statements"]) > 1
            return (any if kind == "OrStatement" else all)(map(nested, inner["Statements"]))
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
    assert WALLED == ["prod"]
    for template in (*map(synthesize_stage, ("local", "dev")), synthesize(**OTHER_DEV)):
        assert "AWS::WAFv2" not in json.dumps(template)
        assert "aws-waf-logs" not in json.dumps(template)


def test_in_counting_mode_no_rule_blocks_and_none_is_missing() -> None:
    (counting,) = find_in(synthesize(**OTHER_PROD), "AWS::WAFv2::WebACL")

    assert counting["DefaultAction"] == {"Allow": {}}
    assert not [rule["Name"] for rule in counting["Rules"] if blocks(rule)]
    assert [rule["Name"] for rule in counting["Rules"]] == list(rules())


@deployed
def test_every_rule_blocks_and_none_reads_what_a_body_says(stage: str) -> None:
    """A rule that only counts costs as much as one that blocks, and stops nobody."""
    groups = {
        rule["Statement"]["ManagedRuleGroupStatement"]["Name"]
        for rule in rules(stage).values()
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }

    assert [name for name, rule in rules(stage).items() if not blocks(rule)] == []
    assert groups == NO_BODIES
    for name, rule in rules(stage).items():
        fields = re.findall(r'"FieldToMatch": {"(\w+)"', json.dumps(rule))
        assert set(fields) <= {"UriPath", "SingleHeader", "Body"}
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
    made(body, Runtime())  # or it raises: it is valid
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    length = sum(12 if ord(character) > 0xFFFF else 6 for character in text)

    assert length <= MAX_LENGTH
    assert not matches(rules()["BodySize"]["Statement"], body=length)


@pytest.mark.parametrize("body", [MAX_LENGTH + 1, 10_000_000])
def test_a_body_larger_than_any_valid_one_is_blocked(body: int) -> None:
    rule = rules()["BodySize"]

    assert blocks(rule)
    assert matches(rule["Statement"], body=body)


def test_one_address_cannot_use_up_the_throttle_of_any_method_for_long() -> None:
    """Each method takes hundreds of addresses."""
    for operation in Operation:
        for name in ("RequestsPerAddress", "ForcedPerAddress"):
            assert 60 * operation.requests_per_second / limit(name) >= 100


@pytest.mark.parametrize(
    ("path", "counted"),
    [
        ("/v1/reset-password", True),
        ("/v1/reset-password/", True),
        ("/v1//reset-password", True),
        ("/v1/reset%2Dpass%77ord", True),
        ("/v1/confirm-reset-password", True),
        ("/v1/password-policy", False),
        ("/v1/update-password", False),
    ],
)
def test_public_paths_have_a_limit_of_their_own_however_they_are_written(
    path: str, counted: bool
) -> None:
    rate = rules()["PublicPerAddress"]["Statement"]["RateBasedStatement"]["ScopeDownStatement"]

    assert matches(rate, path=path, content_type="application/json") == counted


FORM = "text/plain;a=application/json"
OURS, FOREIGN = "https://b.example", "https://app.example.evil.example"
APP = "capacitor://localhost"


@pytest.mark.parametrize(
    ("forced", "headers"),
    [
        (True, {}),
        (True, {"content_type": FORM}),
        (True, {"content_type": FORM, "origin": FOREIGN}),
        (True, {"origin": FOREIGN}),
        (True, {"origin": "null"}),
        (False, {"content_type": "application/json"}),
        (False, {"content_type": "Application/JSON; charset=utf-8", "origin": OURS}),
        (False, {"origin": OURS}),
        (False, {"origin": APP}),
        (True, {"origin": f"{APP}.evil.example"}),
    ],
)
def test_no_website_can_use_up_the_rates_that_its_visitors_need(
    forced: bool, headers: dict[str, str]
) -> None:
    """It makes a browser send what needs no preflight, the preflight itself, and its own origin."""
    for path in ("/v1/nothing", *(f"/v1{operation.path}" for operation in Operation)):
        assert counts("ForcedPerAddress", path=path, **headers) == forced
        assert counts("RequestsPerAddress", path=path, **headers) == (not forced)
        assert not (forced and counts("PublicPerAddress", path=path, **headers))


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
    assert hidden >= {("SINGLE_HEADER", "idempotency-key"), ("SINGLE_HEADER", "caller-secret")}
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
    # WAF documents the plain ARN of the group; its attribute Arn ends with `:*`.
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


SERVERS = "web,next"


def server_secrets() -> list[str]:
    """Return the texts that CloudFormation replaces with each secret."""
    template = synthesize(**MAILS, firewall="block", serverCallers=SERVERS)
    names = [
        name
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::SecretsManager::Secret" and "ServerCallers" in name
    ]
    parts = [["{{resolve:secretsmanager:", {"Ref": name}, ":SecretString:::}}"] for name in names]
    return [json.dumps({"Fn::Join": ["", part]}) for part in parts]


def test_the_users_behind_a_server_are_counted_by_the_addresses_that_it_names() -> None:
    (found,) = find_in(
        synthesize(**MAILS, firewall="block", serverCallers=SERVERS), "AWS::WAFv2::WebACL"
    )
    rates = {
        one["Name"]: one["Statement"]["RateBasedStatement"]
        for one in found["Rules"]
        if "RateBasedStatement" in one["Statement"]
    }
    by_name = {name for name, rate in rates.items() if rate["AggregateKeyType"] == "CUSTOM_KEYS"}

    assert by_name == {"RequestsPerUser", "PublicPerUser"}
    for name in by_name:
        (key,) = rates[name]["CustomKeys"]
        assert key["Header"]["Name"] == "caller-address"
        assert rates[name]["Limit"] == rates[name.replace("User", "Address")]["Limit"]
    # Anyone who has stolen a secret can name any address, and call from many. They still fill no
    # throttle.
    throttle = 60 * min(operation.requests_per_second for operation in Operation)
    assert rates["RequestsOfServers"]["AggregateKeyType"] == "CONSTANT"
    assert rates["RequestsOfServers"]["Limit"] <= throttle / 2


def test_only_a_secret_takes_a_request_out_of_the_rates_of_its_connection() -> None:
    first, second = server_secrets()
    json_ = {"content_type": "application/json"}
    for operation in Operation:
        path = f"/v1{operation.path}"
        is_public = bool(operation.attempts_per_hour) and not operation.signed_in
        for secret in (first, second):
            for headers in (json_, {}):
                sent = {"path": path, "caller_secret": secret, **headers}
                for name in ("RequestsPerAddress", "PublicPerAddress", "ForcedPerAddress"):
                    assert not counts(name, SERVERS, **sent)
                assert counts("RequestsPerUser", SERVERS, **sent)
                assert counts("RequestsOfServers", SERVERS, **sent)
                assert counts("PublicPerUser", SERVERS, **sent) == is_public
        for other in ({}, {"caller_secret": first.lower()}, {"caller_address": "192.0.2.1"}):
            assert counts("RequestsPerAddress", SERVERS, path=path, **json_, **other)
            assert not counts("RequestsPerUser", SERVERS, path=path, **json_, **other)


@pytest.mark.parametrize("names", ["web,web2", "web2,web", "web,webArn"])
def test_each_secret_of_a_server_has_an_output(names: str) -> None:
    template = synthesize(**MAILS, firewall="block", serverCallers=names)
    secrets = {
        name
        for name, one in template["Resources"].items()
        if one["Type"] == "AWS::SecretsManager::Secret" and name.startswith("ServerCallers")
    }
    # The command in docs/security-features.md looks for these.
    arns = {one["Value"]["Ref"] for name, one in template["Outputs"].items() if "webArn" in name}

    assert len(secrets) == 2
    assert arns <= secrets
    assert len(arns) == names.count("web") - ("web2" in names)


def test_the_secrets_of_servers_reach_the_functions_that_callers_call_and_no_browser() -> None:
    template = synthesize(**MAILS, firewall="block", serverCallers=SERVERS)
    given = {
        function["Handler"]: json.dumps(function["Environment"]["Variables"])
        for function in find_in(template, "AWS::Lambda::Function")
        if function["Handler"].startswith("functions.")
    }
    refs = [json.loads(one)["Fn::Join"][1][1] for one in server_secrets()]

    for handler, secrets in given.items():
        is_called = any(f".{operation.id}." in handler for operation in Operation)
        assert all(json.dumps(ref) in secrets for ref in refs) == is_called
    preflights = json.dumps(find_in(template, "AWS::ApiGateway::Method"))
    assert "Access-Control-Allow-Headers" in preflights
    assert "caller-" not in preflights.lower()


def pool_acl(action: str, **settings: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The web ACL of the pool, and what it is put on."""
    template = synthesize(**settings, firewall="off", poolFirewall=action)
    (found,) = find_in(template, "AWS::WAFv2::WebACL")
    (association,) = find_in(template, "AWS::WAFv2::WebACLAssociation")
    return found, association


RESETS = ("ForgotPassword", "ConfirmForgotPassword")


@pytest.mark.parametrize("action", ["count", "block"])
def test_a_pool_can_refuse_resets_that_do_not_come_from_the_service(action: str) -> None:
    found, association = pool_acl(action, **MAILS)
    (rule,) = found["Rules"]
    own = IMPORTED["userPoolClientId"]

    assert "userpool/eu-west-1_Imported0" in json.dumps(association["ResourceArn"])
    assert found["DefaultAction"] == {"Allow": {}}
    assert blocks(rule) == (action == "block")
    for client, closed in (("web", RESETS), (own, ())):
        for name in (*RESETS, "InitiateAuth", "GetUser", "ChangePassword", ""):
            told = matches(
                rule["Statement"],
                x_amzn_cognito_operation_name=name,
                x_amzn_cognito_client_id=client,
            )
            assert told == (name in closed)


def test_a_pool_of_the_stack_can_have_a_web_acl_and_has_none_by_default() -> None:
    found, association = pool_acl("count", stage="dev")

    assert "UserPoolClient" in json.dumps(found["Rules"][0]["Statement"])
    assert "UserPool" in json.dumps(association["ResourceArn"])
    assert len(find_in(synthesize_stage("prod"), "AWS::WAFv2::WebACLAssociation")) == 1


def test_what_a_pools_web_acl_counts_can_be_looked_at() -> None:
    """It has no log, and Cognito tells WAF no names of users."""
    found, _ = pool_acl("count", stage="dev")

    assert found["Rules"][0]["VisibilityConfig"]["SampledRequestsEnabled"]
