"""What AWS WAF refuses, before the gateway asks the authorizer or a function."""

from typing import Final

from aws_cdk import Fn, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk.aws_wafv2 import CfnLoggingConfiguration, CfnWebACL, CfnWebACLAssociation
from constructs import Construct

from functions.operations import Operation
from functions.settings import FirewallMode, Settings
from infra.logs import LogGroup

WINDOW: Final = 300
"""Seconds, over which WAF counts the requests of an address."""
REQUESTS_PER_ADDRESS: Final = WINDOW
"""In a window: one a second, so that no single address uses up the throttle of a method."""
RESETS_PER_ADDRESS: Final = 2 * int(Settings.of_stage("prod").attempts_per_address)
"""In a window: as many as pass the service's own limit across the edge of two of its windows."""
INSPECTED: Final = 64
"""KB of a body: the most that WAF looks at for API Gateway, and all that a valid request has."""


class Firewall(Construct):
    """A web ACL on the API's stage, and its log.

    No rule that reads what a body says ever blocks: a good password may look like `<script>` or
    `../`. There is no CAPTCHA: who posts JSON gets a puzzle that only AWS's browser SDK can show.
    """

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, api_stage: apigateway.Stage
    ) -> None:
        super().__init__(scope, id_)
        block = settings.firewall is FirewallMode.BLOCK
        reset = _path_of(Operation.RESET_PASSWORD)
        rules = (
            # Anyone who attacks others will attack us next.
            ("IpReputation", _managed("AmazonIpReputationList"), block),
            # The throttles are for all callers together.
            ("RequestsPerAddress", _rate(REQUESTS_PER_ADDRESS), block),
            # A reset may send a mail, and a malformed one is nowhere else counted.
            ("ResetsPerAddress", _rate(RESETS_PER_ADDRESS, scope_down=reset), block),
            # A function is paid for by the time that it has a body in hand.
            ("BodySize", _too_large(), block),
            # These read bodies; what they count tells of an attack.
            ("CommonRules", _managed("CommonRuleSet"), False),
            ("KnownBadInputs", _managed("KnownBadInputsRuleSet"), False),
        )
        acl = CfnWebACL(
            self,
            "WebAcl",
            description="In front of the password service",
            scope="REGIONAL",
            default_action=CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility("WebAcl"),
            rules=[
                _rule(priority, name, statement, block=blocks)
                for priority, (name, statement, blocks) in enumerate(rules)
            ],
            association_config=CfnWebACL.AssociationConfigProperty(
                request_body={
                    "API_GATEWAY": CfnWebACL.RequestBodyAssociatedResourceTypeConfigProperty(
                        default_size_inspection_limit=f"KB_{INSPECTED}"
                    )
                }
            ),
            # The redaction of a log would know no bodies, and keep what a rule found in them.
            data_protection_config=CfnWebACL.DataProtectionConfigProperty(
                data_protections=[
                    CfnWebACL.DataProtectProperty(action="SUBSTITUTION", field=field)
                    for field in (
                        CfnWebACL.FieldToProtectProperty(field_type="BODY"),
                        CfnWebACL.FieldToProtectProperty(field_type="QUERY_STRING"),
                        CfnWebACL.FieldToProtectProperty(
                            field_type="SINGLE_HEADER", field_keys=["authorization", "cookie"]
                        ),
                    )
                ]
            ),
        )
        CfnWebACLAssociation(
            self, "Association", resource_arn=api_stage.stage_arn, web_acl_arn=acl.attr_arn
        )
        _log(self, settings, acl)


def _log(scope: Construct, settings: Settings, acl: CfnWebACL) -> None:
    stack = Stack.of(scope)
    # Of this very stack: the log of one that was removed may have been kept.
    *_, unique = Fn.split("-", Fn.select(2, Fn.split("/", stack.stack_id)), 5)
    log_group = LogGroup(
        scope,
        "Logs",
        settings=settings,
        # WAF accepts no other prefix.
        log_group_name=f"aws-waf-logs-{stack.stack_name}-{unique}",
    )
    log_group.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[log_group.log_group_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": stack.account},
                "ArnLike": {"aws:SourceArn": stack.format_arn(service="logs", resource="*")},
            },
        )
    )
    logging = CfnLoggingConfiguration(
        scope,
        "Logging",
        resource_arn=acl.attr_arn,
        log_destination_configs=[log_group.log_group_arn],
    )
    logging.node.add_dependency(log_group)  # and with it its policy


def _rule(
    priority: int, name: str, statement: CfnWebACL.StatementProperty, *, block: bool
) -> CfnWebACL.RuleProperty:
    group = statement.managed_rule_group_statement
    return CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        statement=statement,
        visibility_config=_visibility(name),
        # The rules of a group have actions of their own.
        override_action={"none" if block else "count": {}} if group else None,
        action=None if group else {"block" if block else "count": {}},
    )


def _visibility(metric: str) -> CfnWebACL.VisibilityConfigProperty:
    # The log has every request: no second place needs to keep some.
    return CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=False
    )


def _managed(name: str) -> CfnWebACL.StatementProperty:
    return CfnWebACL.StatementProperty(
        managed_rule_group_statement=CfnWebACL.ManagedRuleGroupStatementProperty(
            vendor_name="AWS", name=f"AWSManagedRules{name}"
        )
    )


def _rate(
    limit: int, *, scope_down: CfnWebACL.StatementProperty | None = None
) -> CfnWebACL.StatementProperty:
    return CfnWebACL.StatementProperty(
        rate_based_statement=CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type="IP",
            evaluation_window_sec=WINDOW,
            limit=limit,
            scope_down_statement=scope_down,
        )
    )


def _path_of(operation: Operation) -> CfnWebACL.StatementProperty:
    """Match it anywhere in the path: the stage's name may precede it, and a slash may follow."""
    return CfnWebACL.StatementProperty(
        byte_match_statement=CfnWebACL.ByteMatchStatementProperty(
            field_to_match=CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="CONTAINS",
            search_string=operation.path,
            # An attacker may write a letter as %xx.
            text_transformations=_transformed("URL_DECODE"),
        )
    )


def _too_large() -> CfnWebACL.StatementProperty:
    return CfnWebACL.StatementProperty(
        size_constraint_statement=CfnWebACL.SizeConstraintStatementProperty(
            field_to_match=CfnWebACL.FieldToMatchProperty(
                body=CfnWebACL.BodyProperty(oversize_handling="MATCH")
            ),
            comparison_operator="GT",
            size=INSPECTED * 1024,
            text_transformations=_transformed("NONE"),
        )
    )


def _transformed(kind: str) -> list[CfnWebACL.TextTransformationProperty]:
    return [CfnWebACL.TextTransformationProperty(priority=0, type=kind)]
