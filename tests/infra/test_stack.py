"""The templates have the resources that AWS is to make."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import CfnElement, TagManager

from apidocs.checklist import cognito
from functions import problems
from functions.aws.actions import ACTIONS, of_operation
from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, WORKER, Operation, handler_name
from functions.problems import JSON
from functions.settings import names_read_by
from functions.times import Times
from infra.gateway_responses import GATEWAY_RESPONSES
from infra.settings import MAX_INTERVAL, STAGES, Deployment
from tests.infra.conftest import (
    IMPORTED,
    MAILS,
    OTHER_DEV,
    OTHER_PROD,
    Find,
    allowed_values,
    find_in,
    functions_in,
    handler_in,
    make_app,
    make_stack,
    name_of,
    synthesize,
    synthesize_stage,
    variables,
)
from tests.support import ROOT
from tests.support.contract import ids

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)
TOLD = {"stage": "dev", "signInAttributes": "email, phone_number"}
each_stage = pytest.mark.parametrize("stage", STAGES)


def methods(find: Find, template: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The API's methods by HTTP method and path."""
    resources = template["Resources"]
    return {
        (m["HttpMethod"], "/" + resources[m["ResourceId"]["Ref"]]["Properties"]["PathPart"]): m
        for m in find("AWS::ApiGateway::Method")
    }


def statements(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    policies = find_in(template, "AWS::IAM::Policy")
    return [s for policy in policies for s in policy["PolicyDocument"]["Statement"]]


def actions(statement: Mapping[str, Any]) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def test_there_is_a_method_for_each_operation_and_a_preflight_only_for_allowed_origins(
    find: Find, template: dict[str, Any]
) -> None:
    preflight = {"OPTIONS"} if variables(template)["ALLOWED_ORIGINS"] else set()

    assert methods(find, template).keys() == {
        (method, one.path) for one in Operation for method in {one.method, "ANY"} | preflight
    }


@each_operation
def test_a_method_calls_the_live_alias_and_only_for_callers_who_are_signed_in_if_they_must_be(
    operation: Operation, find: Find, template: dict[str, Any]
) -> None:
    method = methods(find, template)[operation.method, operation.path]
    aliases = {
        name: alias["Properties"]
        for name, alias in template["Resources"].items()
        if alias["Type"] == "AWS::Lambda::Alias"
    }

    (alias,) = (name for name in aliases if name in json.dumps(method["Integration"]["Uri"]))

    assert method["Integration"]["Type"] == "AWS_PROXY"
    assert aliases[alias]["Name"] == "live"
    assert operation.type_name in aliases[alias]["FunctionName"]["Ref"]

    if operation.signed_in:
        assert method["AuthorizationType"] == "COGNITO_USER_POOLS"
        assert method["AuthorizationScopes"] == ["aws.cognito.signin.user.admin"]
        assert "AuthorizerId" in method
    else:
        assert method["AuthorizationType"] == "NONE"


def test_the_api_is_regional_and_no_validator_answers_instead_of_a_function(find: Find) -> None:
    (api,) = find("AWS::ApiGateway::RestApi")

    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert find("AWS::ApiGateway::RequestValidator") == []
    assert all("RequestValidatorId" not in method for method in find("AWS::ApiGateway::Method"))


def test_a_method_has_the_throttle_of_its_operation(find: Find) -> None:
    (stage,) = find("AWS::ApiGateway::Stage")
    limits = {
        (s["HttpMethod"], s["ResourcePath"].replace("/~1", "/")): s for s in stage["MethodSettings"]
    }

    for operation in Operation:
        limit = limits[operation.method, operation.path]
        assert limit["ThrottlingRateLimit"] == operation.requests_per_second
        assert limit["ThrottlingBurstLimit"] == operation.requests_per_second


def test_the_gateway_writes_access_logs_without_any_body(find: Find) -> None:
    (stage,) = find("AWS::ApiGateway::Stage")
    line = json.loads(stage["AccessLogSetting"]["Format"])

    assert line["stage"] in STAGES
    assert stage["TracingEnabled"] is True
    assert line["requestId"] == "$context.requestId"
    assert not [v for v in line.values() if "validationError" in v or "$input" in v]
    assert not [v for v in line.values() if "message" in v or "authorizer.claims.email" in v]
    assert "userAgent" not in stage["AccessLogSetting"]["Format"]
    assert not any(s.get("DataTraceEnabled") for s in stage["MethodSettings"])


def test_every_failure_that_the_gateway_knows_has_a_problem() -> None:
    """Otherwise it would answer in words of its own."""
    assert GATEWAY_RESPONSES.keys() == {*allowed_values("apigateway", "GatewayResponseType")}


def promised() -> dict[str, str]:
    """The headers that every answer has, says the document that callers read."""
    headers = json.loads((ROOT / "openapi.json").read_text())["components"]["headers"]
    return {
        name: header["schema"]["const"]
        for name, header in headers.items()
        if header.get("required") and "const" in header["schema"]
    }


def headers_of(response: Mapping[str, Any]) -> dict[str, str]:
    parameters = response["ResponseParameters"].items()
    return {name.partition("header.")[2]: value.strip("'") for name, value in parameters}


@pytest.mark.parametrize("response_type", GATEWAY_RESPONSES)
def test_the_gateway_answers_its_own_failures_with_the_same_problems(
    response_type: str, find: Find
) -> None:
    problem = GATEWAY_RESPONSES[response_type]
    (response,) = (
        r for r in find("AWS::ApiGateway::GatewayResponse") if r["ResponseType"] == response_type
    )
    document = json.loads(response["ResponseTemplates"]["application/json"])
    headers = headers_of(response)

    assert response["StatusCode"] == str(problem.status) == str(document["status"])
    assert response["ResponseTemplates"].keys() == {"application/json"}
    assert document["code"] == problem.code
    assert document["requestId"] == "$context.requestId"
    assert headers["Content-Type"] == JSON
    assert headers.items() >= promised().items() > set()
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Expose-Headers"] == problems.EXPOSED
    assert ("Retry-After" in headers) == (problem.status == 429)
    assert headers.get("WWW-Authenticate", "").startswith("Bearer") == (problem.status == 401)


@each_operation
def test_an_unsupported_method_is_told_the_supported_one(
    operation: Operation, find: Find, template: dict[str, Any]
) -> None:
    found = methods(find, template)
    others = found["ANY", operation.path]
    (answer,) = others["Integration"]["IntegrationResponses"]
    (declared,) = others["MethodResponses"]
    headers = headers_of(answer)
    allowed = {method for method, path in found if path == operation.path} - {"ANY"}

    assert others["Integration"]["Type"] == "MOCK"
    assert others["Integration"]["PassthroughBehavior"] == "NEVER"
    request = json.loads(others["Integration"]["RequestTemplates"]["application/json"])
    assert request == {"statusCode": 405}
    assert answer["StatusCode"] == declared["StatusCode"] == "405"
    assert "SelectionPattern" not in answer
    assert declared["ResponseParameters"].keys() == answer["ResponseParameters"].keys()
    assert set(headers["Allow"].split(", ")) == allowed
    assert headers["Content-Type"] == JSON
    assert headers.items() >= promised().items() > set()
    assert json.loads(answer["ResponseTemplates"]["application/json"]) == (
        problems.METHOD_NOT_ALLOWED.document("$context.requestId")
    )


def test_a_preflight_allows_what_the_operations_read() -> None:
    first, *others = origins = ["https://app.example", "capacitor://localhost", "ionic://localhost"]
    template = synthesize(**{**OTHER_DEV, "allowedOrigins": ",".join(origins)})
    preflights = [
        m for m in find_in(template, "AWS::ApiGateway::Method") if m["HttpMethod"] == "OPTIONS"
    ]

    allowed = []
    for preflight in preflights:
        (answer,) = preflight["Integration"]["IntegrationResponses"]
        headers = headers_of(answer)
        assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == (first, "Origin")
        # One that is equal to none of these gets the first, so its browser sends nothing.
        chosen = answer["ResponseTemplates"]["application/json"]
        assert re.findall('[$]origin == "(.+?)"', chosen.partition("#end")[2]) == others
        assert "header.Access-Control-Allow-Origin = $origin)" in chosen
        read = "Authorization,Content-Type,Idempotency-Key"
        assert headers["Access-Control-Allow-Headers"] == read
        allowed.append(headers["Access-Control-Allow-Methods"])
    assert sorted(allowed) == sorted(operation.method for operation in Operation)


def test_a_function_is_traced_and_shares_neither_its_role_nor_its_log(
    template: dict[str, Any],
) -> None:
    functions = functions_in(template)

    for properties in functions:
        log_group = template["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]
        traced = properties["Handler"] != handler_name(CUSTOM_MESSAGE)
        assert (properties.get("TracingConfig") == {"Mode": "Active"}) is traced
        assert log_group["Type"] == "AWS::Logs::LogGroup"
    assert len({json.dumps(f["Role"]) for f in functions}) == len(functions)
    assert len({json.dumps(f["LoggingConfig"]) for f in functions}) == len(functions)


@each_stage
def test_a_policy_grants_of_cognito_only_what_iam_governs_on_this_pool(stage: str) -> None:
    template = synthesize_stage(stage)
    granted = {
        (action, json.dumps(statement["Resource"]))
        for statement in statements(template)
        for action in actions(statement)
        if action.startswith("cognito-idp:")
    }
    pool = name_of(template, "AWS::Cognito::UserPool")

    assert {action.removeprefix("cognito-idp:") for action, _ in granted} == {
        "DescribeUserPool",
        "DescribeUserPoolClient",
        "AdminGetUser",
        "AdminUserGlobalSignOut",
        "AdminListUserSessions",
        "AdminRevokeUserSession",
        "AdminListDevices",
        "AdminForgetDevice",
        "AdminResetUserPassword",
        "ListUsers",
        *(["AdminCreateUser"] if stage == "local" else []),
    }
    assert {resource for _, resource in granted} == {json.dumps({"Fn::GetAtt": [pool, "Arn"]})}


@pytest.mark.parametrize(("stage", "tracks"), [("dev", 1), ("prod", 1), ("local", 0)])
def test_the_stacks_own_pool_tracks_sessions_where_it_can(stage: str, tracks: int) -> None:
    template = synthesize_stage(stage)
    kind = "AWS::Cognito::UserPoolSessionConfigurationAttachment"
    pool = {"Ref": name_of(template, "AWS::Cognito::UserPool")}

    found = find_in(template, kind)
    expected = {
        "UserPoolId": pool,
        "UserSessionTracking": "ENABLED",
        "TokenSession": {"MaxPerUser": 100},
    }
    assert found == [expected] * tracks


def test_a_function_has_no_policy_but_its_own(find: Find) -> None:
    roles = find("AWS::IAM::Role")
    who = {"AmazonAPIGatewayPushToCloudWatchLogs": "apigateway", "ForLambdaLimited": "codedeploy"}

    for role in roles:
        for arn in role.get("ManagedPolicyArns", []):
            (service,) = (who[name] for name in who if name in json.dumps(arn))
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}


def role_actions(template: Mapping[str, Any], name: str) -> set[str]:
    """Return the actions of a function's role. It must name the resources where AWS allows that."""
    role = handler_in(template, name)["Role"]["Fn::GetAtt"][0]
    allowed = set()
    for policy in find_in(template, "AWS::IAM::Policy"):
        if {"Ref": role} in policy["Roles"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                traces = actions(statement) <= {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
                assert traces or statement["Resource"] != "*"
                allowed |= actions(statement)
    return allowed


LOG_AND_TRACE = {
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
}
STORE = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}


@each_operation
def test_a_role_may_do_what_its_operation_does_and_nothing_else(
    operation: Operation, template: dict[str, Any]
) -> None:
    expected = {*LOG_AND_TRACE}
    counts = {"dynamodb:UpdateItem", "dynamodb:GetItem"}
    expected |= counts if operation.attempts_per_hour else set()
    expected |= STORE if operation.repeatable else set()
    expected |= {"sqs:SendMessage", "events:PutEvents"} if operation.uses_queue else set()
    used = of_operation(operation, Deployment.of_stage("prod").replace(event_bus_name="the-bus"))
    called = {action.name for action in used if action.client.service == "cognito-idp"}
    expected |= {
        f"cognito-idp:{action}"
        for action in called
        if "smithy.api#noAuth" not in (cognito().operation_model(action).auth or [])
    }

    # The emulator asks for a permission that AWS does not have.
    assert role_actions(template, operation.id) - {"sqs:SendMessageBatch"} == expected


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"stage": "dev"}, {"events:PutEvents"}),
        (MAILS, {"ses:SendEmail", "events:PutEvents"}),
        (OTHER_DEV, {"cognito-idp:AdminCreateUser"}),
    ],
    ids=["neither", "mails", "invitations"],
)
def test_the_worker_may_do_what_its_settings_need_and_nothing_else(
    settings: dict[str, str], more: set[str]
) -> None:
    template = synthesize(**settings)
    queue = {"ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"}
    queue |= {"GetQueueAttributes", "GetQueueUrl", "SendMessage"}
    cognito_actions = {"DescribeUserPoolClient", "AdminGetUser", "AdminUserGlobalSignOut"}
    cognito_actions |= {"AdminListDevices", "AdminForgetDevice", "ListUsers"}
    cognito_actions |= {"AdminListUserSessions", "AdminRevokeUserSession", "AdminResetUserPassword"}

    assert role_actions(template, "worker") == more | {
        *LOG_AND_TRACE,
        *STORE,
        *(f"sqs:{action}" for action in queue),
        *(f"cognito-idp:{action}" for action in cognito_actions),
    }


def test_a_mail_leaves_from_one_address_by_the_identity_of_its_domain() -> None:
    (grant,) = (one for one in statements(synthesize(**MAILS)) if "ses:SendEmail" in actions(one))

    assert grant["Condition"] == {"StringEquals": {"ses:FromAddress": "no-reply@example.com"}}
    assert [
        json.dumps(arn).partition(":ses:")[2].rpartition(":")[2] for arn in grant["Resource"]
    ] == [
        'configuration-set/*"]]}',
        'identity/example.com"]]}',
        'identity/no-reply@example.com"]]}',
    ]


def test_ses_counts_the_mails_of_the_service_and_of_its_pool_that_nobody_gets() -> None:
    template = synthesize_stage("prod")
    (pool,) = find_in(template, "AWS::Cognito::UserPool")
    (destination,) = find_in(template, "AWS::SES::ConfigurationSetEventDestination")
    own = {"Ref": name_of(template, "AWS::SES::ConfigurationSet")}
    counted = destination["EventDestination"]

    assert variables(template, WORKER)["MAIL_CONFIGURATION_SET"] == own
    assert pool["EmailConfiguration"]["ConfigurationSet"] == own
    assert destination["ConfigurationSetName"] == own
    assert counted["Enabled"] is True
    assert sorted(counted["MatchingEventTypes"]) == ["bounce", "complaint"]
    assert counted["CloudWatchDestination"]["DimensionConfigurations"] == [
        {
            "DefaultDimensionValue": "none",
            "DimensionName": "ses:configuration-set",
            "DimensionValueSource": "messageTag",
        }
    ]


@pytest.mark.parametrize("settings", [MAILS, {"stage": "dev"}], ids=["named", "no mails"])
def test_a_stack_adds_no_configuration_set_to_one_that_is_named_or_without_mails(
    settings: dict[str, str],
) -> None:
    template = synthesize(**settings)

    assert find_in(template, "AWS::SES::ConfigurationSet") == []
    named = variables(template, WORKER)["MAIL_CONFIGURATION_SET"]
    assert named == settings.get("mailConfigurationSet", "")


def test_the_function_that_anyone_may_call_without_a_limit_may_only_read_the_pool(
    template: dict[str, Any],
) -> None:
    may = role_actions(template, Operation.PASSWORD_POLICY.id)

    assert may == {"cognito-idp:DescribeUserPool", *LOG_AND_TRACE}


def test_without_an_event_bus_nobody_may_put_an_event() -> None:
    template = synthesize(**OTHER_DEV)

    assert not {"events:PutEvents"} & set[str]().union(*map(actions, statements(template)))
    assert find_in(template, "AWS::Events::EventBus") == []
    assert all(variables(template, one).get("EVENT_BUS_NAME", "") == "" for one in FUNCTIONS)


def test_the_table_is_encrypted_on_demand_and_forgets(find: Find) -> None:
    (table,) = find("AWS::DynamoDB::Table")

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_codes_take_a_third_of_cognitos_quota_at_most(stage: str) -> None:
    template = synthesize_stage(stage)
    sources = find_in(template, "AWS::Lambda::EventSourceMapping")
    most = {
        source["EventSourceArn"]["Fn::GetAtt"][0]: source["ScalingConfig"]["MaximumConcurrency"]
        for source in sources
    }
    read = variables(template, "worker")
    seconds = float(read["CODE_INTERVAL"])

    assert {source["BatchSize"] for source in sources} == {1}
    assert most.pop(read["QUEUE_URL"]["Ref"]) / seconds <= 30 / 3
    # A list of the support desk adds no more than this.
    assert most.pop(read["SUPPORT_QUEUE_ARN"]["Fn::GetAtt"][0]) / seconds <= 30 / 10
    assert most == {}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_no_role_may_send_to_the_queue_of_the_support_desk_and_the_worker_may_read_it(
    stage: str,
) -> None:
    template = synthesize_stage(stage)
    queue = variables(template, "worker")["SUPPORT_QUEUE_ARN"]["Fn::GetAtt"][0]
    granted = [
        (policy["Roles"], action, json.dumps(statement["Resource"]))
        for policy in find_in(template, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        for action in actions(statement)
        if action.startswith("sqs:")
    ]

    assert not [one for one in granted if "*" in one[1] + one[2]]
    consume = {"ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"}
    consume |= {"GetQueueAttributes", "GetQueueUrl"}
    assert {action for _, action, to in granted if queue in to} == {f"sqs:{c}" for c in consume}
    roles = [roles for roles, _, to in granted if queue in to]
    assert roles == [[{"Ref": handler_in(template, "worker")["Role"]["Fn::GetAtt"][0]}]] * 5
    for policy in find_in(template, "AWS::SQS::QueuePolicy"):
        assert {one["Effect"] for one in policy["PolicyDocument"]["Statement"]} == {"Deny"}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_queues_are_encrypted_take_tls_alone_and_forget(stage: str) -> None:
    template = synthesize_stage(stage)
    policies = find_in(template, "AWS::SQS::QueuePolicy")
    without_tls = {
        json.dumps(statement["Resource"])
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    queues = find_in(template, "AWS::SQS::Queue")

    days = sorted(queue["MessageRetentionPeriod"] / 86_400 for queue in queues)
    assert all(queue["SqsManagedSseEnabled"] for queue in queues)
    assert (len(without_tls), days) == (len(queues), [4, 4, 14])


def test_a_setting_reaches_the_functions() -> None:
    chosen, other, mails = (variables(synthesize(**one)) for one in (OTHER_DEV, OTHER_PROD, MAILS))

    assert other["THREAT_PROTECTION"] == "true"
    assert other["LIMITS"] == "false"
    assert chosen["RESPONSE_INTERVAL"] == "0.5"
    assert variables(synthesize(**OTHER_DEV), "update_password")["UPDATE_PASSWORD_ATTEMPTS"] == "20"
    assert chosen["IPV6_NETWORK_PREFIX"] == "40"
    assert chosen["REVEAL_USER_EXISTENCE"] == "true"
    assert chosen["BREACH_ENDPOINT"] == ""
    assert mails["BREACH_ENDPOINT"] == "https://range.example"
    for function in functions_in(synthesize(**OTHER_DEV)):
        assert function["MemorySize"] == 256
        # Nobody may have needed a snapshot of the trigger for two weeks, and Cognito waits for 5 s.
        restores = function["Handler"] != handler_name(CUSTOM_MESSAGE)
        assert (function.get("SnapStart") == {"ApplyOn": "PublishedVersions"}) is restores
        others = {handler_name(WORKER): 12, handler_name(CUSTOM_MESSAGE): None}
        reserved = others.get(function["Handler"], 25)
        assert function.get("ReservedConcurrentExecutions") == reserved
    for setting in ("SnapStart", "ReservedConcurrentExecutions"):
        assert f'"{setting}"' not in json.dumps(synthesize_stage("prod"))


def test_a_function_has_the_variables_that_it_reads_and_no_other(template: dict[str, Any]) -> None:
    for function in FUNCTIONS:
        names = {name.upper() for name in names_read_by(function)}
        assert variables(template, function).keys() == names
    assert "PSEUDONYM_KEY" not in variables(template, "password_policy")


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        ({"stage": "dev"}, "email"),
        (IMPORTED | {"stage": "dev"}, ""),
        (IMPORTED | TOLD, "email,phone_number"),
    ],
    ids=["own", "imported", "imported and told"],
)
def test_the_names_that_users_sign_in_with_are_those_of_the_pool(
    settings: dict[str, str], attributes: str
) -> None:
    template = synthesize(**settings)
    read = {name: variables(template, name).get("SIGN_IN_ATTRIBUTES") for name in FUNCTIONS}

    assert read == dict.fromkeys(FUNCTIONS) | {
        one.id: attributes for one in Operation if one.uses_client_secret
    }


def test_the_age_of_a_sign_in_reaches_the_update_only() -> None:
    template = synthesize(stage="dev", maxSignInAge="600")
    read = {name: variables(template, name).get("MAX_SIGN_IN_AGE") for name in FUNCTIONS}

    assert read == dict.fromkeys(FUNCTIONS) | {"update_password": "600"}


def test_production_protects_by_default() -> None:
    chosen = variables(synthesize_stage("prod"))

    assert chosen["LIMITS"] == "true"
    assert chosen["RESPONSE_INTERVAL"] == "1.0"
    assert chosen["BREACH_ENDPOINT"].startswith("https://")
    assert chosen["EVENT_BUS_NAME"]
    # Users are hidden unless somebody chooses otherwise.
    assert chosen["REVEAL_USER_EXISTENCE"] == "false"


def longest(action: str) -> float:
    """The most seconds that one attempt at an action can take."""
    client = ACTIONS[action].client
    return client.connect + client.read


def test_a_function_has_time_for_the_slowest_answer_and_less_than_the_gateway(
    template: dict[str, Any],
) -> None:
    """Whichever dependency stops answering: it is called three more times after the retries."""
    silent = max(longest(action) for action in ("GetUser", "UpdateItem", "SendMessage"))
    total = Times().retries + 3 * silent + longest("ChangePassword") + MAX_INTERVAL

    for operation in Operation:
        assert total <= handler_in(template, operation.id)["Timeout"] < 29


def test_the_worker_has_time_for_the_slowest_code_and_the_mail_after_it(
    find: Find, template: dict[str, Any]
) -> None:
    """Cognito takes its whole time for a code, and every other call fails after its retries."""
    looks = Times().retries + 3 * longest("AdminGetUser")
    stored = 3 * longest("PutItem")
    total = looks + longest("ForgotPassword") + longest("SendEmail") + stored
    worker = handler_in(template, "worker")
    queues = [one for one in find("AWS::SQS::Queue") if "RedrivePolicy" in one]

    assert len(queues) == 2
    for queue in queues:
        assert total <= worker["Timeout"] == queue["VisibilityTimeout"] / 6


def test_a_start_ends_before_lambda_gives_up_although_cognito_hangs() -> None:
    """A retry begins before the start's time is over."""
    imports = 1
    assert Times().start + max(map(longest, ("DescribeUserPool", "GetItem"))) + imports <= 10


def test_only_the_deployed_stage_may_call_an_operation(find: Find) -> None:
    permissions = [p for p in find("AWS::Lambda::Permission") if p["Principal"] != COGNITO]

    assert len(permissions) == len(Operation)
    assert "test-invoke-stage" not in json.dumps(permissions)
    assert {p["Principal"] for p in permissions} == {"apigateway.amazonaws.com"}
    assert all("execute-api" in json.dumps(p["SourceArn"]) for p in permissions)


COGNITO = "cognito-idp.amazonaws.com"


@pytest.mark.parametrize(
    ("settings", "attached", "pool"),
    [
        ({"stage": "prod"}, True, '["UserPoolDAD9161D", "Arn"]'),
        # AWS allows messages of one's own only in pools that send by SES.
        ({"stage": "dev"}, False, None),
        (IMPORTED | {"stage": "prod"}, False, ":userpool/eu-west-1_Imported0"),
        ({"stage": "prod", "codeMails": "false"}, False, None),
    ],
    ids=["own", "without SES", "imported", "off"],
)
def test_cognito_may_call_the_trigger_for_one_pool_which_calls_its_alias_if_it_is_the_stacks(
    settings: dict[str, str], attached: bool, pool: str | None
) -> None:
    template = synthesize(**settings)
    permissions = [
        p for p in find_in(template, "AWS::Lambda::Permission") if p["Principal"] == COGNITO
    ]
    aliases = [name for name in template["Resources"] if "CustomMessageAlias" in name]
    permitted = [one["FunctionName"]["Ref"] for one in permissions]

    assert permitted == [one for one in aliases if pool and one in permitted]
    assert len(permitted) == bool(pool)
    assert all(pool in json.dumps(one["SourceArn"]) for one in permissions if pool)
    called = [one.get("LambdaConfig") for one in find_in(template, "AWS::Cognito::UserPool")]
    assert [one["CustomMessage"]["Ref"] for one in called if one] == (permitted if attached else [])
    assert ("CustomMessageArn" in template["Outputs"]) == (settings.get("codeMails") != "false")


@each_stage
def test_the_trigger_may_write_its_log_and_nothing_else_and_knows_nothing_but_the_brand(
    stage: str,
) -> None:
    template = synthesize_stage(stage)

    assert role_actions(template, CUSTOM_MESSAGE) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert variables(template, CUSTOM_MESSAGE).keys() == {
        *("STAGE", "MAIL_NAME", "MAIL_LOGO", "CODE_URL")
    }
    assert handler_in(template, CUSTOM_MESSAGE)["Timeout"] == 5


@each_stage
def test_the_pool_is_what_nist_asks_for(stage: str) -> None:
    (pool,) = find_in(synthesize_stage(stage), "AWS::Cognito::UserPool")

    kinds = ("Lowercase", "Numbers", "Symbols", "Uppercase")
    assert pool["Policies"]["PasswordPolicy"] == {
        "MinimumLength": 15,
        # The emulator remembers no passwords, so the local pool promises none.
        **({} if stage == "local" else {"PasswordHistorySize": 5}),
        **{f"Require{kind}": False for kind in kinds},
    }
    assert pool["UsernameAttributes"] == ["email"]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}
    assert pool["AccountRecoverySetting"]["RecoveryMechanisms"] == [
        {"Name": "verified_email", "Priority": 1}
    ]
    assert pool["MfaConfiguration"] == "OPTIONAL"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True


@each_stage
def test_a_token_alone_moves_no_address(stage: str) -> None:
    """The address is the name that a user signs in with, and gets the codes."""
    template = synthesize_stage(stage)
    (pool,) = find_in(template, "AWS::Cognito::UserPool")

    kept = pool["UserAttributeUpdateSettings"]["AttributesRequireVerificationBeforeUpdate"]
    assert kept == ["email"]
    for client in find_in(template, "AWS::Cognito::UserPoolClient"):
        writable = set(client["WriteAttributes"])
        assert {"email", "email_verified"} & writable == set()
        assert {"name", "locale"} <= writable


def test_risks_are_rated_where_the_setting_says_so() -> None:
    for rated, template in ((True, synthesize(**OTHER_PROD)), (False, synthesize_stage("dev"))):
        (pool,) = find_in(template, "AWS::Cognito::UserPool")
        (client,) = find_in(template, "AWS::Cognito::UserPoolClient")

        assert (pool["UserPoolTier"] == "PLUS") == rated
        # Cognito lets a pool leave the Plus plan only with threat protection off: it must be sent.
        assert pool["UserPoolAddOns"] == {"AdvancedSecurityMode": "ENFORCED" if rated else "OFF"}
        assert client["EnablePropagateAdditionalUserContextData"] == rated


def test_the_mail_with_a_code_fits_a_reset_and_a_sign_up(find: Find) -> None:
    (pool,) = find("AWS::Cognito::UserPool")
    texts = pool["VerificationMessageTemplate"]

    assert texts["DefaultEmailOption"] == "CONFIRM_WITH_CODE"
    assert "account" not in json.dumps(texts)
    for text in (texts["EmailMessage"], texts["SmsMessage"]):
        assert text.count("{####}") == 1
        assert "new password" in text
        assert "confirm your address" in text
        assert "did not ask" in text
        assert len(text) <= 140  # a short message's length


def test_an_invitation_says_to_sign_in_and_is_not_taken_for_a_code(find: Find) -> None:
    (pool,) = find("AWS::Cognito::UserPool")
    texts = pool["AdminCreateUserConfig"]["InviteMessageTemplate"]

    assert "code" not in json.dumps(texts)
    for text in (texts["EmailMessage"], texts["SMSMessage"]):
        assert text.startswith("Sign in as {username} with a temporary password")
        assert text.endswith(" {####}")  # nothing after it seems to be a part of it
        assert "did not expect" in text
        assert len(text) <= 140  # a short message's length


def test_production_mails_from_the_operators_domain_in_the_stacks_region() -> None:
    (pool,) = find_in(synthesize_stage("prod"), "AWS::Cognito::UserPool")
    (other,) = find_in(synthesize_stage("dev"), "AWS::Cognito::UserPool")
    mail = pool["EmailConfiguration"]

    assert (mail["EmailSendingAccount"], mail["From"]) == ("DEVELOPER", "no-reply@example.com")
    for name, sender in (("Acme, Inc.", '"Acme, Inc."'), ("Müller", "=?UTF-8?B?TcO8bGxlcg==?=")):
        (named,) = find_in(synthesize(stage="prod", mailName=name), "AWS::Cognito::UserPool")
        assert named["EmailConfiguration"]["From"] == f"{sender} <no-reply@example.com>"
    *_, region, _, account, identity = mail["SourceArn"]["Fn::Join"][1]
    assert (region, account) == ({"Ref": "AWS::Region"}, {"Ref": "AWS::AccountId"})
    assert identity == ":identity/example.com"
    assert "EmailConfiguration" not in other


def test_the_authorizer_trusts_this_pool_alone(find: Find, template: dict[str, Any]) -> None:
    (authorizer,) = find("AWS::ApiGateway::Authorizer")
    pool = name_of(template, "AWS::Cognito::UserPool")

    assert authorizer["ProviderARNs"] == [{"Fn::GetAtt": [pool, "Arn"]}]


def test_the_client_has_a_secret_and_hides_who_exists(find: Find, template: dict[str, Any]) -> None:
    for client in find("AWS::Cognito::UserPoolClient"):
        assert client["PreventUserExistenceErrors"] == "ENABLED"
        assert client["EnableTokenRevocation"] is True
        assert client["AllowedOAuthFlowsUserPoolClient"] is False
    own = template["Resources"][template["Outputs"]["UserPoolClientId"]["Value"]["Ref"]]
    assert own["Properties"]["GenerateSecret"] is True
    assert "ClientSecret" not in json.dumps(template)


@each_stage
def test_only_the_local_stage_has_a_client_without_a_secret(stage: str) -> None:
    template = synthesize_stage(stage)
    clients = find_in(template, "AWS::Cognito::UserPoolClient")
    public = [client for client in clients if not client.get("GenerateSecret")]

    assert len(public) == (stage == "local")
    assert template["Outputs"].keys() == {
        *("ApiUrl", "UserPoolId", "UserPoolClientId", "EventBusName", "CustomMessageArn"),
        *(["PublicClientId"] if stage == "local" else []),
    }
    allowed = variables(template, "update_password")["ALLOWED_CLIENT_IDS"]
    assert json.dumps(allowed).count('"Ref"') == len(clients)

    # Only local tools may sign a user in with the bare password.
    flows = {flow for client in clients for flow in client["ExplicitAuthFlows"]}
    bare = flows - {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert bare == ({"ALLOW_ADMIN_USER_PASSWORD_AUTH"} if stage == "local" else set())


def test_outputs_are_exported_under_the_name_of_their_stack_only_if_somebody_asks() -> None:
    exported = synthesize(stage="dev", exportOutputs="true")["Outputs"]

    names = {name: one["Export"]["Name"] for name, one in exported.items()}
    assert names == {name: f"password-service-dev-{name}" for name in exported}
    assert "Export" not in json.dumps(synthesize_stage("dev")["Outputs"])


@each_stage
def test_only_production_leaves_something_behind_besides_the_accounts_own(stage: str) -> None:
    template = synthesize_stage(stage)
    # Cognito refuses to delete a protected pool, also one whose stack could not be made.
    policies = {"AWS::Cognito::UserPool": "Retain", "AWS::Logs::LogGroup": "RetainExceptOnCreate"}
    policies["AWS::SecretsManager::Secret"] = "RetainExceptOnCreate"
    # Its ID and its secret cannot be made again.
    policies["AWS::Cognito::UserPoolClient"] = "RetainExceptOnCreate"
    kept = [
        resource.get("DeletionPolicy", "Delete") == policies[resource["Type"]]
        for resource in template["Resources"].values()
        if resource["Type"] in policies
    ]
    retentions = {g["RetentionInDays"] for g in find_in(template, "AWS::Logs::LogGroup")}
    (pool,) = find_in(template, "AWS::Cognito::UserPool")

    assert set(kept) == {stage == "prod"}
    assert retentions == {365 if stage == "prod" else 30}
    assert pool["DeletionProtection"] == ("ACTIVE" if stage == "prod" else "INACTIVE")

    left = {
        resource["Type"]
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    # Every other API in the account writes access logs with the same role.
    of_the_account = {"AWS::ApiGateway::Account", "AWS::IAM::Role"}

    assert (left == of_the_account) == (stage != "prod")
    assert left >= of_the_account


@pytest.mark.parametrize(("stage", "protected"), [("local", False), ("dev", False), ("prod", True)])
def test_only_production_must_be_unprotected_before_it_can_be_deleted(
    stage: str, protected: bool, tmp_path: Path
) -> None:
    stack = make_stack(make_app(str(tmp_path), stage=stage))

    assert stack.termination_protection == protected


def test_whatever_can_have_tags_tells_its_service_and_its_stage(tmp_path: Path) -> None:
    stack = make_stack(make_app(str(tmp_path), stage="prod"))
    resources = synthesize_stage("prod")["Resources"]
    expected = {"service": "password-service", "stage": "prod"}
    taggable = {
        str(stack.resolve(node.logical_id))
        for node in stack.node.find_all()
        if isinstance(node, CfnElement) and TagManager.of(node)
    }

    assert stack.tags.tag_values() == expected
    assert len(taggable) > len(Operation)
    for name in taggable:
        properties = resources[name]["Properties"]
        tags = properties.get("UserPoolTags") or {t["Key"]: t["Value"] for t in properties["Tags"]}
        assert tags == expected, name


def test_an_imported_pool_is_used_and_none_is_made() -> None:
    template = synthesize(**MAILS)
    read = variables(template, "confirm_reset_password")

    assert find_in(template, "AWS::Cognito::UserPool") == []
    assert find_in(template, "AWS::Cognito::UserPoolClient") == []
    assert read["USER_POOL_ID"] == IMPORTED["userPoolId"]
    assert read["USER_POOL_CLIENT_ID"] == IMPORTED["userPoolClientId"]
    allowed = variables(template, "update_password")["ALLOWED_CLIENT_IDS"]
    assert allowed == f"{IMPORTED['userPoolClientId']},web,mobile"
    assert read["LOWER_CASE_USERNAMES"] == "false"
    assert variables(synthesize_stage("prod"))["LOWER_CASE_USERNAMES"] == "true"
    granted = [s for s in statements(template) if any("cognito" in a for a in actions(s))]
    assert all("userpool/eu-west-1_Imported0" in json.dumps(s["Resource"]) for s in granted)


def test_the_account_may_own_the_role_for_access_logs() -> None:
    assert find_in(synthesize(**OTHER_PROD), "AWS::ApiGateway::Account") == []
    resources = synthesize_stage("prod")["Resources"]
    (account,) = (n for n, r in resources.items() if r["Type"] == "AWS::ApiGateway::Account")
    (stage,) = (r for r in resources.values() if r["Type"] == "AWS::ApiGateway::Stage")
    # Without the role, AWS refuses a stage that writes access logs.
    assert account in stage["DependsOn"]


def test_what_cdk_json_has_for_all_stages_leaves_the_local_one_as_it_is() -> None:
    shared = {"alarmEmail": "ops@example.com", "canary": True}

    assert synthesize(stage="local", **shared) == synthesize_stage("local")
