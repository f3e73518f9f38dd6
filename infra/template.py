"""The service as a CloudFormation template, for anyone who has no CDK app in Python."""

from typing import TYPE_CHECKING, Final, NamedTuple, cast

from aws_cdk import (
    Aws,
    BootstraplessSynthesizer,
    CfnCondition,
    CfnOutput,
    CfnParameter,
    CfnResource,
    Fn,
    Stack,
)
from aws_cdk.aws_apigateway import RestApi
from aws_cdk.aws_cognito import UserPool, UserPoolClient
from aws_cdk.aws_lambda import Code
from aws_cdk.aws_sns import Subscription
from constructs import Construct, IConstruct

from functions.operations import CUSTOM_MESSAGE
from infra.mails import NO_SET, Mails
from infra.rules import MAX_NAMES
from infra.service import Service
from infra.settings import RULES, STAGE_NAME, Deployment

if TYPE_CHECKING:
    from aws_cdk.aws_apigateway import CfnAccount, CfnStage
    from aws_cdk.aws_events import CfnEventBus, EventBus
    from aws_cdk.aws_sns import Topic

BUCKET: Final = "The bucket with functions.zip, in the region of the stack."
KEY: Final = (
    "The key of functions.zip. Give each release another key, because CloudFormation deploys no new"
    " code under the same one."
)
_ORIGIN: Final = r"[a-z][a-z0-9.-]*://[a-z0-9._~-]+(?::[0-9]+)?"


class Parameter(NamedTuple):
    """A choice of somebody who deploys the template. Without a default, they must choose."""

    description: str
    default: str | None = None
    pattern: str = ""
    expected: str = ""
    """The values, if the rule of the setting accepts more than the template can take."""
    values: tuple[str, ...] = ()
    most: int | None = None
    """The most characters, if the rule has no limit that is a pattern."""


PARAMETERS: Final = {
    "user_pool_id": Parameter(
        "The user pool whose users the service serves. Another pool needs a stack of its own.",
        pattern=r"[\w-]+_[0-9A-Za-z]+",
        expected="like eu-west-1_AbCdEfGhI",
    ),
    "user_pool_client_id": Parameter(
        "The service's app client in that pool. It needs a secret.",
        pattern=r"[\w+]+",
        expected="like 1h57kf5cpq17m0eml12EXAMPLE",
    ),
    "allowed_client_ids": Parameter(
        "Further app clients whose access tokens can update a password, with commas.",
        default="",
        pattern=r"[\w+]+(?:,[\w+]+)*",
        expected=f"IDs with commas and no spaces, at most {MAX_NAMES} characters",
        most=MAX_NAMES,
    ),
    "allowed_origins": Parameter(
        "The origins of the pages and apps whose scripts may call the API, with commas.",
        default="",
        # A stage variable of API Gateway takes only these characters, and 512 with the last comma.
        pattern=f"{_ORIGIN}(?:,{_ORIGIN})*",
        expected="like https://example.com,capacitor://localhost, at most 511 characters",
        most=511,
    ),
    "sign_in_attributes": Parameter(
        "What users sign in with, if they have no other username.",
        default="",
        values=("", "email", "phone_number", "email,phone_number"),
    ),
    "mail_from": Parameter(
        "The sender of mails, in a domain verified in SES. Without one, users are not told of"
        " changes by mail.",
        default="",
    ),
    "mail_name": Parameter(
        "The name of your service or company, as the sender of mails and in their subjects.",
        default="",
    ),
    "alarm_email": Parameter(
        "The address that alarms are mailed to. The output AlarmTopicArn can tell others.",
        default="",
    ),
    "stage": Parameter(
        "The name of this deployment in metrics and logs, which no other one in the account has.",
        default="prod",
    ),
    "firewall": Parameter(
        "What happens to a request that matches a firewall rule; off deploys no firewall.",
        default="block",
        values=("block", "count", "off"),
    ),
    "cloud_watch_role": Parameter(
        "Create the account's role with which API Gateway writes access logs. Choose false if the"
        " account has one.",
        default="true",
        values=("true", "false"),
    ),
}
"""The parameters, by the settings that they are. Every other setting has the default of `prod`."""
LISTS: Final = ("allowed_client_ids", "allowed_origins", "sign_in_attributes")
"""Those that are one text for CloudFormation, as in the functions' variables."""


class TemplateStack(Stack):
    """The service for a pool that exists, deployable without the CDK and its bootstrap stack.

    The bucket and the key of the functions' code are parameters, too.
    """

    def __init__(self, scope: Construct, id_: str, *, description: str) -> None:
        super().__init__(
            scope, id_, description=description, synthesizer=BootstraplessSynthesizer()
        )
        self._text = {name: self._add_parameter(name, one) for name, one in PARAMETERS.items()}
        # The account's role is under a condition, and a canary needs versions of the functions.
        lists = {name: (self._text[name],) for name in LISTS}
        chosen = self._text | lists | {"cloud_watch_role": True, "canary": False}
        settings = Deployment.of_stage("prod").replace(**chosen)
        mails = Mails(self, "Mails")
        sender = self._keep_unless("mail_from", "", mails)
        name = Fn.condition_if(sender.logical_id, mails.configuration_set, NO_SET)
        mails.configuration_set = name.to_string()
        service = Service(
            self,
            "Passwords",  # as in public-ids.json
            user_pool=UserPool.from_user_pool_id(self, "Pool", settings.user_pool_id),
            user_pool_client=UserPoolClient.from_user_pool_client_id(
                self, "Client", settings.user_pool_client_id
            ),
            settings=settings,
            mails=mails,
            code=Code.from_cfn_parameters(
                bucket_name_param=CfnParameter(self, "CodeBucket", description=BUCKET),
                object_key_param=CfnParameter(self, "CodeKey", description=KEY),
            ),
        )
        # The CDK makes up a name, which would be the same in every stack.
        bus = cast("EventBus", service.event_bus)
        cast("CfnEventBus", bus.node.default_child).name = Aws.STACK_NAME
        topic = cast("Topic", service.node.find_child("Observability").node.find_child("Topic"))
        (subscription,) = (one for one in topic.node.children if isinstance(one, Subscription))
        self._keep_unless("alarm_email", "", subscription)
        self._keep_unless("firewall", "off", service.node.find_child("Firewall"))
        self._keep_role(service.rest_api)
        outputs = {
            "ApiUrl": service.url,
            "AlarmTopicArn": topic.topic_arn,
            "CustomMessageArn": service.functions[CUSTOM_MESSAGE].function_arn,
            "EventBusName": bus.event_bus_name,
        }
        for output, value in outputs.items():
            CfnOutput(self, output, value=value)

    def _keep_role(self, api: RestApi) -> None:
        """Leave the account's role out if nobody wants it. The stage of the API depends on it."""
        role, account = (api.node.find_child(name) for name in ("CloudWatchRole", "Account"))
        kept = self._keep_unless("cloud_watch_role", "false", role, account)
        # `DependsOn` takes no condition, but a reference in a property does.
        stage = cast("CfnStage", api.deployment_stage.node.default_child)
        stage.add_deletion_override("DependsOn")
        dependency = Fn.condition_if(kept.logical_id, cast("CfnAccount", account).ref, Aws.NO_VALUE)
        stage.description = dependency.to_string()

    def _add_parameter(self, name: str, one: Parameter) -> str:
        rule = RULES.get(name, STAGE_NAME)
        pattern = one.pattern or rule.pattern
        if one.default == "":
            pattern = f"(?:{pattern})?"
        added = CfnParameter(
            self,
            _title(name),
            description=one.description,
            default=one.default,
            allowed_values=[*one.values] or None,
            allowed_pattern=None if one.values else pattern,
            max_length=one.most,
            constraint_description=f"must be {one.expected or rule.expected}",
        )
        return added.value_as_string

    def _keep_unless(self, name: str, off: str, *constructs: IConstruct) -> CfnCondition:
        """Leave constructs out if a parameter has a value."""
        expression = Fn.condition_not(Fn.condition_equals(self._text[name], off))
        condition = CfnCondition(self, f"Has{_title(name)}", expression=expression)
        for construct in constructs:
            for one in construct.node.find_all():
                if CfnResource.is_cfn_resource(one):
                    cast("CfnResource", one).cfn_options.condition = condition
        return condition


def _title(name: str) -> str:
    """Return the name of a setting as CloudFormation's names are."""
    return "".join(map(str.capitalize, name.split("_")))
