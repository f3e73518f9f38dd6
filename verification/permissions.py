"""Derive the IAM policy that the checks need, and say in words what it allows."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from verification.target import Target


class Scope(Enum):
    """The resources that a statement of the policy names."""

    POOL = "In the user pool"
    FUNCTIONS = "For the functions"
    LOGS = "In the log groups"
    STACK = "In the stack"
    API = "For the API"
    TOPICS = "For the topics"
    # IAM does not know these actions by resource, or only by one that belongs to somebody else.
    ACCOUNT = "In the whole account"


PERMISSIONS: Final[Mapping[Scope, Mapping[str, str]]] = {
    Scope.POOL: {
        "cognito-idp:AdminSetUserPassword": "set the password of every user",
        "cognito-idp:AdminCreateUser": "create users",
        "cognito-idp:AdminDeleteUser": "delete every user",
        "cognito-idp:ListUsers": "list the users",
        "cognito-idp:DescribeUserPoolClient": "read the app clients with their secrets",
        "cognito-idp:ListUserPoolClients": "list the app clients",
        "cognito-idp:DescribeUserPool": "read the settings",
        "cognito-idp:GetUserPoolMfaConfig": "read which second factors are allowed",
        "cognito-idp:GetWebACLForResource": "find its web ACL",
    },
    Scope.FUNCTIONS: {
        "lambda:GetFunctionConfiguration": "read the settings, with the key of the references",
    },
    Scope.LOGS: {"logs:FilterLogEvents": "read every line"},
    Scope.STACK: {
        "cloudformation:GetTemplate": "read the template",
        "cloudformation:ListStackResources": "list the resources",
    },
    Scope.API: {"apigateway:GET": "read the stage and the account's role for logs"},
    Scope.TOPICS: {"sns:GetTopicAttributes": "read the attributes"},
    Scope.ACCOUNT: {
        "cloudwatch:DescribeAlarms": "read the alarms",
        "cloudwatch:GetMetricStatistics": "read the metrics",
        "lambda:GetAccountSettings": "read Lambda's quotas",
        "lambda:ListEventSourceMappings": "list what calls functions",
        "servicequotas:ListServiceQuotas": "read the quotas",
        "ses:GetAccount": "read the state of SES",
        "wafv2:GetWebACL": "read the web ACLs",
        "wafv2:GetWebACLForResource": "find the web ACL of a resource",
        "xray:GetTraceSummaries": "read the traces",
    },
}
"""The end of the sentence "Anyone who has this policy can …" for each action."""


def policy(target: Target) -> dict[str, Any]:
    """Return the IAM policy with every permission, for the resources of one deployment."""
    statements = [
        {
            "Sid": scope.name.title(),
            "Effect": "Allow",
            "Action": [*PERMISSIONS[scope]],
            "Resource": resources,
        }
        for scope, resources in _arns(target).items()
        if resources
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def explain(target: Target) -> str:
    """Say in words what the policy allows."""
    lines = [f"Anyone who has this policy can do the following to {target.name}."]
    for scope, resources in _arns(target).items():
        if resources:
            lines.append(f"{scope.value} ({', '.join(resources)}):")
            lines += [f"- {words}" for words in PERMISSIONS[scope].values()]
    lines.append(
        "IAM cannot limit this to the throw-away user, so take the policy away after the check."
    )
    return "\n".join(lines)


def _arns(target: Target) -> dict[Scope, list[str]]:
    functions = [one["FunctionArn"] for one in target.functions.values()]
    _, partition, _, region, account, *_ = functions[0].split(":")
    groups = [group for group in (*target.function_logs, target.access_group) if group]

    def arn(service: str, resource: str) -> str:
        return f"arn:{partition}:{service}:{region}:{account}:{resource}"

    return {
        Scope.POOL: [arn("cognito-idp", f"userpool/{target.settings.user_pool_id}")],
        Scope.FUNCTIONS: functions,
        # IAM knows a log group by both names.
        Scope.LOGS: [arn("logs", f"log-group:{g}{end}") for g in groups for end in ("", ":*")],
        Scope.STACK: [arn("cloudformation", f"stack/{name}/*") for name in target.stacks],
        Scope.API: [target.api_stage["arn"], f"arn:{partition}:apigateway:{region}::/account"],
        Scope.TOPICS: [*target.resources.get("AWS::SNS::Topic", ())],
        Scope.ACCOUNT: ["*"],
    }
