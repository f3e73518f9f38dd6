"""The construct in other people's stacks: its names, what it takes, and what it gives."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Environment, Stack, aws_lambda
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_sns as sns

from functions.aws.events import SOURCE
from functions.operations import FUNCTIONS
from infra.service import PasswordService
from tests.infra.conftest import VALIDATES, context, find_in, name_of, read_template, variables
from tests.support import ROOT

PUBLIC = {
    "AWS::ApiGateway::RestApi",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
"""Types of resources that hold data, or that somebody may refer to."""
EMULATED = ("enforce_tls", "restrict_sender", "test_sign_in", "queue_url")
IDS = Path(__file__).with_name("public-ids.json")


def make_app(**flags: bool) -> App:
    """An app with no feature flags but these."""
    return App(
        context={"aws:cdk:disable-asset-staging": True, VALIDATES: False} | flags,
        stack_traces=False,
        tree_metadata=False,
    )


def make_stack(name: str = "Shop", **flags: bool) -> Stack:
    return Stack(make_app(**flags), name)


def add_service(stack: Stack, id_: str = "Passwords", **settings: Any) -> PasswordService:
    """Add the service for a pool that exists."""
    pool = cognito.UserPool.from_user_pool_id(stack, f"{id_}Pool", "eu-west-1_Theirs000")
    client = cognito.UserPoolClient.from_user_pool_client_id(stack, f"{id_}Client", "theirs")
    return PasswordService(stack, id_, user_pool=pool, user_pool_client=client, **settings)


def template_of(stack: Stack) -> dict[str, Any]:
    app = stack.node.root
    assert isinstance(app, App)
    return read_template(app, stack)


def ids(stack: Stack) -> set[str]:
    resources = template_of(stack)["Resources"].items()
    return {name for name, resource in resources if resource["Type"] in PUBLIC}


def test_the_ids_of_what_holds_data_are_those_of_the_last_version() -> None:
    stacks = make_stack(), make_stack(**context())
    for stack in stacks:
        add_service(stack)

    known = set(json.loads(IDS.read_text()))
    for stack in stacks:
        lost, added = known - ids(stack), ids(stack) - known
        assert not lost, (
            f"{sorted(lost)} would be replaced in existing stacks: only a major version may do so."
        )
        assert not added, f"{sorted(added)} are new: add them to {IDS.name}."


def names(template: dict[str, Any], of: str) -> set[str]:
    """Return the names that tell services apart; `of` begins the logical ids of one."""
    own = {n: r["Properties"] for n, r in template["Resources"].items() if n.startswith(of)}
    kinds = {n: template["Resources"][n]["Type"] for n in own}
    found = {
        json.dumps(own[name].get("LogGroupName") or own[name].get("Name"))
        for name, kind in kinds.items()
        if kind.endswith(("::RestApi", "::EventBus", "::LogGroup", "::QueryDefinition"))
    } - {"null"}
    for name, kind in kinds.items():
        if kind == "AWS::Lambda::Function":
            found |= {own[name]["Environment"]["Variables"].get("STAGE")} - {None}
        if kind == "AWS::CloudWatch::Alarm":
            found |= set(re.findall(r'"Name": "stage", "Value": "(.*?)"', json.dumps(own[name])))
    return found


def test_two_services_share_no_name_in_one_stack_nor_in_one_account() -> None:
    together, apart = make_stack(), make_stack("Blog")
    for stack, id_ in ((together, "Passwords"), (together, "Others"), (apart, "Passwords")):
        add_service(stack, id_)
    template, other = template_of(together), template_of(apart)

    found = [names(template, "Passwords"), names(template, "Others"), names(other, "Passwords")]

    assert all(len(each) > len(FUNCTIONS) for each in found)
    assert sum(map(len, found)) == len(set.union(*found))


def test_what_belongs_to_the_account_is_left_alone_unless_it_is_wanted() -> None:
    left, wanted = make_stack(), make_stack()
    add_service(left)
    add_service(wanted, cloud_watch_role=True)

    assert find_in(template_of(left), "AWS::ApiGateway::Account") == []
    assert len(find_in(template_of(wanted), "AWS::ApiGateway::Account")) == 1


def test_a_setting_has_its_python_name_and_may_be_known_to_cloudformation_alone() -> None:
    stack = make_stack()
    sender, origin = (CfnParameter(stack, name).value_as_string for name in ("Sender", "Origin"))

    add_service(
        stack,
        stage="shop",
        mail_from=sender,
        allowed_origins=[origin, "https://shop.example"],
        response_interval=0.5,
        limits=False,
        firewall="count",
    )

    template = template_of(stack)
    read = variables(template)
    assert read["MAIL_FROM"] == {"Ref": "Sender"}
    assert variables(template, "worker")["MAIL_FROM"] == {"Ref": "Sender"}
    assert read["ALLOWED_ORIGINS"]["Fn::Join"][1] == [{"Ref": "Origin"}, ",https://shop.example"]
    assert (read["STAGE"], read["RESPONSE_INTERVAL"], read["LIMITS"]) == ("shop", "0.5", "false")
    assert read["LOWER_CASE_USERNAMES"] == "false"
    address = {"Fn::Join": ["", [{"Ref": "Sender"}, "@"]]}
    assert {"Fn::Select": [1, {"Fn::Split": ["@", address]}]} in [
        part
        for policy in find_in(template, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "ses:SendEmail"
        for arn in statement["Resource"]
        for part in arn["Fn::Join"][1]
    ]


@pytest.mark.parametrize(
    ("aliases", "told", "attributes"),
    [
        ({"email": True}, (), "email"),
        ({"email": True, "phone": True}, (), "email,phone_number"),
        ({"username": True, "email": True}, (), ""),
        (None, (), ""),
        (None, ["email"], "email"),
    ],
)
def test_the_names_of_users_are_those_of_the_pool_that_the_construct_gets(
    aliases: dict[str, bool] | None, told: list[str], attributes: str
) -> None:
    stack = make_stack()
    if aliases is None:
        add_service(stack, sign_in_attributes=told)
    else:
        pool = cognito.UserPool(stack, "Pool", sign_in_aliases=cognito.SignInAliases(**aliases))
        client = pool.add_client("Client", generate_secret=True)
        PasswordService(stack, "Passwords", user_pool=pool, user_pool_client=client)

    assert variables(template_of(stack))["SIGN_IN_ATTRIBUTES"] == attributes


def test_a_construct_that_mails_has_a_configuration_set_of_its_own() -> None:
    stack = make_stack()
    service = add_service(stack, mail_from="no-reply@example.com")
    add_service(stack, "Others", mail_from="no-reply@example.com")
    template = template_of(stack)

    assert len(find_in(template, "AWS::SES::ConfigurationSet")) == 2
    assert "MailsLost" in service.alarms


def test_the_pool_may_be_made_by_another_stack_of_the_app() -> None:
    stack = make_stack()
    users = Stack(stack.node.root, "Users")  # type: ignore[arg-type]  # an app is a construct
    pool = cognito.UserPool(users, "Pool")
    client = pool.add_client("Client", generate_secret=True)

    PasswordService(stack, "Passwords", user_pool=pool, user_pool_client=client)

    read = variables(template_of(stack))
    assert "Fn::ImportValue" in read["USER_POOL_ID"]
    allowed = variables(template_of(stack), "update_password")["ALLOWED_CLIENT_IDS"]
    assert read["USER_POOL_CLIENT_ID"] == allowed != read["USER_POOL_ID"]


def test_a_service_shows_what_others_build_upon_and_tells_a_topic_every_alarm() -> None:
    stack = make_stack()
    topic = sns.Topic(stack, "Topic")
    service = add_service(stack, alarm_topic=topic)
    plain = add_service(make_stack(), events=False)

    told = [a["AlarmActions"] for a in find_in(template_of(stack), "AWS::CloudWatch::Alarm")]
    assert told == [[{"Ref": stack.resolve(topic.topic_arn)["Ref"]}]] * len(service.alarms)
    assert service.functions.keys() == set(FUNCTIONS)
    assert f"{service.url}/" == service.rest_api.url
    assert service.event_bus
    assert plain.event_bus is None
    assert service.queue.node.path != service.dead_letters.node.path
    assert "ServerErrors" in service.alarms


def test_the_rule_that_the_document_shows_is_deleted_before_the_bus() -> None:
    """EventBridge deletes no bus that has rules. CloudFormation deletes what refers to it first."""
    text = (ROOT / "docs/security-features.md").read_text()
    codes = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (code,) = (one for one in codes if "Rule(" in one)
    stack = make_stack()
    passwords = add_service(stack)
    mailer = aws_lambda.Function(
        stack,
        "Mailer",
        runtime=aws_lambda.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=aws_lambda.Code.from_inline("def handler(event, context): ..."),
    )

    exec(code, {"stack": stack, "passwords": passwords, "mailer": mailer})

    template = template_of(stack)
    (rule,) = find_in(template, "AWS::Events::Rule")
    assert rule["EventBusName"] == {"Ref": name_of(template, "AWS::Events::EventBus")}
    assert rule["EventPattern"] == {"source": [SOURCE]}


HELP = "https://example.com/help"


@pytest.mark.parametrize(
    ("settings", "mistakes"),
    [
        (
            # A setting whose value is wrong is not called missing as well.
            {"mail_form": "a", "mail_from": "example.com", "limits": 1.5, "support_url": HELP},
            [
                "There is no setting 'mail_form': did you mean mail_from?",
                "mail_from must be like no-reply@example.com, not 'example.com'.",
                "limits must be true or false, not 1.5.",
            ],
        ),
        (
            {"stage": "my shop", "defaults": "local", "mail_reply_to": "help@example.com"},
            [
                "defaults must be one of dev, prod, not 'local'.",
                "mail_reply_to is set, so set mail_from as well.",
                "stage must be like shop-passwords, not 'my shop'.",
            ],
        ),
        # No argument turns a protection off for the sake of an emulator.
        (
            dict.fromkeys(EMULATED),
            [f"There is no setting '{name}': did you mean" for name in EMULATED],
        ),
    ],
)
def test_all_mistakes_are_listed_under_the_path_of_the_construct(
    settings: dict[str, Any], mistakes: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"^Shop/Passwords cannot be added:\n") as raised:
        add_service(make_stack(), **settings)

    _, *found = str(raised.value).splitlines()
    assert len(found) == len(mistakes)
    for line, mistake in zip(found, mistakes, strict=True):
        assert line.startswith(f"- {mistake}")


def test_a_pool_of_another_region_and_a_client_without_a_secret_are_refused() -> None:
    ireland = {"region": "eu-west-1", "account": "123456789012"}
    stack = Stack(make_app(), "Shop", env=Environment(**ireland))
    arn = "arn:aws-cn:cognito-idp:cn-north-1:123456789012:userpool/cn-north-1_Theirs000"
    china = cognito.UserPool.from_user_pool_arn(stack, "China", arn)
    ohio = cognito.UserPool.from_user_pool_id(stack, "Ohio", "us-east-2_Theirs000")
    own = cognito.UserPool(stack, "Own")
    public, secret = own.add_client("Public"), own.add_client("Secret", generate_secret=True)

    refused: list[tuple[Any, Any, list[str]]] = [
        (china, public, ["user_pool is in cn-north-1, and the stack in", "no secret"]),
        (ohio, secret, ["user_pool is in us-east-2, and the stack in eu-west-1"]),
        (own, public, ["user_pool_client has no secret"]),
        ("eu-west-1_a", "b", ["user_pool must be a pool", "user_pool_client must be an app"]),
    ]
    for number, (pool, client, parts) in enumerate(refused):
        with pytest.raises(ValueError, match=f"^Shop/P{number} cannot") as raised:
            PasswordService(stack, f"P{number}", user_pool=pool, user_pool_client=client)

        _, *found = str(raised.value).splitlines()
        assert all(part in line for part, line in zip(parts, found, strict=True))
    PasswordService(stack, "Right", user_pool=own, user_pool_client=secret)
