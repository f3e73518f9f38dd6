"""The AWS WAF web ACLs: one before the gateway, and one before a user pool."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, cast

from aws_cdk import ArnFormat, CfnCondition, Fn, IResolvable, Stack, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk.aws_cognito import IUserPool, IUserPoolClient
from aws_cdk.aws_wafv2 import CfnLoggingConfiguration, CfnWebACL, CfnWebACLAssociation
from constructs import Construct

from functions.operations import ADDRESS_HEADER, SERVER_HEADER, Operation
from infra.logs import LogGroup
from infra.settings import Deployment

if TYPE_CHECKING:
    from aws_cdk.aws_logs import CfnLogGroup

WINDOW: Final = 60
"""Seconds over which WAF counts an address's requests. This is its shortest window."""
REQUESTS_PER_ADDRESS: Final = WINDOW
"""In a window: one a second, so that no address uses up the throttle of a method for long."""
PUBLIC_REQUESTS_PER_ADDRESS: Final = 2 * sum(
    one.attempts_per_hour for one in Operation if not one.signed_in
)
"""In a window, attempts without a signed-in caller: all that two users of one household have in an
hour, and so few that it takes 400 addresses to use up the throttle of 200 a second for long."""
FORCED_REQUESTS_PER_ADDRESS: Final = 120
"""In a window, requests that any website can make a visitor's browser send, such as one for the
password policy: enough for an office whose pages all ask for it."""
SERVER_REQUESTS: Final = 100 * WINDOW
"""In a window, requests with a server's secret, from all servers together: half of what a method's
throttle lets in."""
INSPECTED: Final = 64
"""KB of a body: the most that WAF looks at for API Gateway, and all that a valid request has."""

_ACTION: Final = "x-amzn-cognito-operation-name"
_CLIENT: Final = "x-amzn-cognito-client-id"
"""The headers in which Cognito tells WAF of a request to its API."""
_RESETS: Final = ("ForgotPassword", "ConfirmForgotPassword")
"""The actions that need neither a password nor a token: a code is enough."""


class Firewall(Construct):
    """A web ACL on the API's stage, and its log.

    No rule reads what a body says, because a good password may look like `<script>` or `../`. That
    is why AWS's common rules and its rules about known attacks are missing: they look into bodies,
    and into cookies, query strings and paths, which no function reads. There is no CAPTCHA: a
    client that posts JSON would get a puzzle that only AWS's browser SDK can show.
    """

    def __init__(
        self, scope: Construct, id_: str, *, settings: Deployment, api_stage: apigateway.Stage
    ) -> None:
        super().__init__(scope, id_)
        block: bool | CfnCondition = settings.firewall == "block"
        if Token.is_unresolved(settings.firewall):
            chosen = Fn.condition_equals(settings.firewall, "block")
            block = CfnCondition(self, "Blocks", expression=chosen)
        # CloudFormation may know several origins as one text, and WAF compares with each.
        origins = [one for one in settings.allowed_origins if not Token.is_unresolved(one)]
        attempts = [_path_of(o) for o in Operation if o.attempts_per_hour and not o.signed_in]
        # A website can make a browser send neither JSON, which needs a preflight, nor another
        # origin than its own. Otherwise it could use up the rates of its visitors.
        unforced = _any(
            _header("content-type", "application/json", "STARTS_WITH", "LOWERCASE"),
            *(_header("origin", one, "EXACTLY", "NONE") for one in origins),
        )
        secrets = [one for one in (settings.server_secret, settings.next_server_secret) if one]
        by_connection, by_servers = [], []
        if secrets:
            # A server calls for many users, whose addresses it names.
            named = _any(
                *(_header(SERVER_HEADER.lower(), one, "EXACTLY", "NONE") for one in secrets)
            )
            public = _all(_any(*attempts), named)
            by_connection = [_not(named)]
            by_servers = [
                ("RequestsPerUser", _rate(REQUESTS_PER_ADDRESS, named, by="name"), block),
                ("PublicPerUser", _rate(PUBLIC_REQUESTS_PER_ADDRESS, public, by="name"), block),
                # Anyone who has stolen the secret can name any address, and call from several.
                ("RequestsOfServers", _rate(SERVER_REQUESTS, named, by="none"), block),
            ]
        rules = (
            # These addresses attack others, too.
            ("IpReputation", _managed("AmazonIpReputationList"), block),
            # All callers share the throttles, so one address must not use them up.
            (
                "RequestsPerAddress",
                _rate(REQUESTS_PER_ADDRESS, _all(unforced, *by_connection)),
                block,
            ),
            # Anyone can call these, and a malformed request is nowhere else counted.
            (
                "PublicPerAddress",
                _rate(PUBLIC_REQUESTS_PER_ADDRESS, _all(_any(*attempts), unforced, *by_connection)),
                block,
            ),
            (
                "ForcedPerAddress",
                _rate(FORCED_REQUESTS_PER_ADDRESS, _all(_not(unforced), *by_connection)),
                block,
            ),
            *by_servers,
            # Lambda bills the time that a function takes to read a body.
            ("BodySize", _too_large(), block),
        )
        numbered = [
            _rule(priority, name, statement, block=blocks)
            for priority, (name, statement, blocks) in enumerate(rules)
        ]
        description = "In front of the password service"
        acl = _add_acl(self, api_stage.stage_arn, "WebAcl", description, numbered)
        acl.association_config = CfnWebACL.AssociationConfigProperty(
            request_body={
                "API_GATEWAY": CfnWebACL.RequestBodyAssociatedResourceTypeConfigProperty(
                    default_size_inspection_limit=f"KB_{INSPECTED}"
                )
            }
        )
        # The redaction of a log cannot leave out bodies, nor what a rule found in them.
        headers = ("authorization", "cookie", "idempotency-key", SERVER_HEADER.lower())
        acl.data_protection_config = CfnWebACL.DataProtectionConfigProperty(
            data_protections=[
                _hidden("BODY"),
                _hidden("QUERY_STRING"),
                _hidden("SINGLE_HEADER", *headers),
            ]
        )
        _log(self, settings, acl)


class PoolFirewall(Construct):
    """A web ACL on a user pool: only the service may reset passwords.

    A client without a secret lets anyone call Cognito itself, and so avoid the service's limits and
    checks. Cognito names the action and the client of each such request in a header. A pool takes
    one web ACL. Managed login names no action: no rule here stops its own reset pages.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        user_pool: IUserPool,
        user_pool_client: IUserPoolClient,
        blocks: bool = False,
    ) -> None:
        """Add the web ACL, and put it on the pool.

        :param user_pool: The pool.
        :param user_pool_client: The service's own app client, which may still reset passwords.
        :param blocks: Block what resets passwords without the service. At first, only count it, and
            see which of your apps would stop working.
        """
        super().__init__(scope, id_)
        own = user_pool_client.user_pool_client_id
        around = _all(
            _any(*(_header(_ACTION, one, "EXACTLY", "NONE") for one in _RESETS)),
            _not(_header(_CLIENT, own, "EXACTLY", "NONE")),
        )
        rule = _rule(0, "AroundTheService", around, block=blocks, sampled=True)
        description = "Only the password service may reset passwords"
        _add_acl(self, user_pool.user_pool_arn, "PoolWebAcl", description, [rule])


def _add_acl(
    scope: Construct,
    resource_arn: str,
    metric: str,
    description: str,
    rules: Sequence[CfnWebACL.RuleProperty],
) -> CfnWebACL:
    """Add a web ACL that allows what no rule blocks, and put it on a resource."""
    acl = CfnWebACL(
        scope,
        "WebAcl",
        description=description,
        scope="REGIONAL",
        default_action=CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visibility(metric),
        rules=rules,
    )
    CfnWebACLAssociation(scope, "Association", resource_arn=resource_arn, web_acl_arn=acl.attr_arn)
    return acl


def _log(scope: Construct, settings: Deployment, acl: CfnWebACL) -> None:
    stack = Stack.of(scope)
    # The name is unique to this stack: the log of one that was removed may have been kept.
    *_, unique = Fn.split("-", Fn.select(2, Fn.split("/", stack.stack_id)), 5)
    # WAF accepts no other prefix.
    name = f"aws-waf-logs-password-service-{settings.stage}-{unique}"
    log_group = LogGroup(scope, "Logs", settings=settings, log_group_name=name)
    deliver = iam.PolicyStatement(
        principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
        actions=["logs:CreateLogStream", "logs:PutLogEvents"],
        resources=[f"{_arn(stack, name)}:log-stream:*"],
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {"aws:SourceArn": stack.format_arn(service="logs", resource="*")},
        },
    )
    # The group's own policy: an account has room for ten of the other kind, for all its stacks.
    cast("CfnLogGroup", log_group.node.default_child).resource_policy_document = iam.PolicyDocument(
        statements=[deliver]
    )
    CfnLoggingConfiguration(
        scope,
        "Logging",
        resource_arn=acl.attr_arn,
        # WAF documents the ARN without the final `:*` that the group's attribute has.
        log_destination_configs=[_arn(stack, log_group.log_group_name)],
    )


def _arn(stack: Stack, log_group_name: str) -> str:
    return stack.format_arn(
        service="logs",
        resource="log-group",
        resource_name=log_group_name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def _rule(
    priority: int,
    name: str,
    statement: CfnWebACL.StatementProperty,
    *,
    block: bool | CfnCondition,
    sampled: bool = False,
) -> CfnWebACL.RuleProperty:
    group = statement.managed_rule_group_statement
    return CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        statement=statement,
        visibility_config=_visibility(name, sampled=sampled),
        # The rules of a group have actions of their own.
        override_action=_choose("none", block=block) if group else None,
        action=None if group else _choose("block", block=block),
    )


def _choose(action: str, *, block: bool | CfnCondition) -> IResolvable | dict[str, object]:
    """Return the action of a rule that blocks, or else `count`."""
    if isinstance(block, CfnCondition):
        return Fn.condition_if(block.logical_id, {action.title(): {}}, {"Count": {}})
    return {action if block else "count": {}}


def _visibility(metric: str, *, sampled: bool = False) -> CfnWebACL.VisibilityConfigProperty:
    # The log of the API has every request: no second place needs to keep some. The pool has no log,
    # and what Cognito tells WAF names no user.
    return CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=sampled
    )


def _managed(name: str) -> CfnWebACL.StatementProperty:
    return CfnWebACL.StatementProperty(
        managed_rule_group_statement=CfnWebACL.ManagedRuleGroupStatementProperty(
            vendor_name="AWS", name=f"AWSManagedRules{name}"
        )
    )


def _rate(
    limit: int,
    scope_down: CfnWebACL.StatementProperty,
    *,
    by: Literal["connection", "name", "none"] = "connection",
) -> CfnWebACL.StatementProperty:
    """Limit the requests of an address: the connection's, or the one that a server has named.

    With `none`, limit all requests together.
    """
    header = CfnWebACL.RateLimitHeaderProperty(
        name=ADDRESS_HEADER.lower(), text_transformations=_transformed("NONE")
    )
    return CfnWebACL.StatementProperty(
        rate_based_statement=CfnWebACL.RateBasedStatementProperty(
            aggregate_key_type={"connection": "IP", "name": "CUSTOM_KEYS", "none": "CONSTANT"}[by],
            custom_keys=(
                [CfnWebACL.RateBasedStatementCustomKeyProperty(header=header)]
                if by == "name"
                else None
            ),
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


def _header(
    name: str, text: str, position: str, transformation: str
) -> CfnWebACL.StatementProperty:
    return CfnWebACL.StatementProperty(
        byte_match_statement=CfnWebACL.ByteMatchStatementProperty(
            field_to_match=CfnWebACL.FieldToMatchProperty(single_header={"Name": name}),
            positional_constraint=position,
            search_string=text,
            text_transformations=_transformed(transformation),
        )
    )


def _any(*statements: CfnWebACL.StatementProperty) -> CfnWebACL.StatementProperty:
    if len(statements) == 1:
        return statements[0]  # an OrStatement needs two
    return CfnWebACL.StatementProperty(
        or_statement=CfnWebACL.OrStatementProperty(statements=[*statements])
    )


def _all(*statements: CfnWebACL.StatementProperty) -> CfnWebACL.StatementProperty:
    if len(statements) == 1:
        return statements[0]
    return CfnWebACL.StatementProperty(
        and_statement=CfnWebACL.AndStatementProperty(statements=[*statements])
    )


def _not(statement: CfnWebACL.StatementProperty) -> CfnWebACL.StatementProperty:
    return CfnWebACL.StatementProperty(
        not_statement=CfnWebACL.NotStatementProperty(statement=statement)
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


def _hidden(part: str, *names: str) -> CfnWebACL.DataProtectProperty:
    field = CfnWebACL.FieldToProtectProperty(field_type=part, field_keys=[*names] or None)
    return CfnWebACL.DataProtectProperty(action="SUBSTITUTION", field=field)
