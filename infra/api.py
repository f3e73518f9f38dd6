"""The REST API: a method for each operation, and responses to requests that reach none."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from aws_cdk import Duration, RemovalPolicy, Token
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from functions import problems
from functions.operations import SCOPE, Operation
from functions.problems import Problem
from infra.acknowledgments import acknowledge, acknowledge_policy
from infra.gateway_responses import GATEWAY_RESPONSES
from infra.logs import LogGroup
from infra.settings import Deployment

ACCESS_LOG: Final = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.resourcePath",
    "status": "$context.status",
    "failure": "$context.error.responseType",
    "sub": "$context.authorizer.claims.sub",
    "latency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "traceId": "$context.xrayTraceId",
}
"""Nothing that a caller writes: neither bodies nor headers, whose quotes could forge a member, nor
`$context.error.validationErrorString`, which quotes a refused password."""


TLS: Final = {
    "SecurityPolicy": "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
    "EndpointAccessMode": "STRICT",
}
"""TLS 1.3, or 1.2 with forward secrecy. Every browser and phone that Amplify supports speaks one of
them. A policy for 1.3 only would lock out phones older than Android 10."""


NO_ORIGIN: Final = "none"
"""The origin that a preflight allows if it allows none. No browser has it."""
ORIGINS: Final = "allowedOrigins"
"""The stage variable with origins that only CloudFormation knows, each with a comma after it."""
ECHO: Final = f"""
#set($origin = $input.params().header.get("Origin"))
#if($origin == "")#set($origin = $input.params().header.get("origin"))#end
#set($allowed = ",${{stageVariables.{ORIGINS}}}")
#set($asked = ",${{origin}},")
#if($allowed.contains($asked))
#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)
#end
""".strip()
"""The template that allows an origin of that variable. The CDK's own one has the origins in it, and
would change with them. CloudFormation deploys no methods again when a parameter changes."""


class Api(Construct):
    """The API Gateway in front of the functions."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Deployment,
        pool: cognito.IUserPool,
        functions: Mapping[Operation, lambda_.IFunction],
    ) -> None:
        super().__init__(scope, id_)
        self.access_log = LogGroup(self, "AccessLogs", settings=settings)
        kept = RemovalPolicy.RETAIN if settings.cloud_watch_role else None
        self.rest_api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=f"password-service-{settings.stage}",
            description="Reset, confirm and update passwords",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=settings.cloud_watch_role,
            cloud_watch_role_removal_policy=kept,
            # One name is enough, and it is the operator's.
            disable_execute_api_endpoint=bool(settings.domain_name),
            deploy_options=_deployment(self.access_log, settings),
        )
        # The CDK has no input for these, and AWS's default is TLS 1.0.
        own = cast("apigateway.CfnRestApi", self.rest_api.node.default_child)
        for name, value in TLS.items():
            own.add_property_override(name, value)
        # An output of its own, with a name that only the CDK knows.
        self.rest_api.node.try_remove_child("Endpoint")
        role = self.rest_api.node.try_find_child("CloudWatchRole")
        acknowledge_policy(role, "AmazonAPIGatewayPushToCloudWatchLogs")
        reason = "A body is judged by the function, which lists all that is wrong with it"
        acknowledge(own, {"APIG2": reason})
        logged = {"APIG6": "Execution logs can quote a body; the access log says what is needed"}
        if settings.firewall == "off":
            logged["APIG3"] = "A setting turns it off, as the local stage does"
        acknowledge(self.rest_api.deployment_stage, logged)
        authorizer = apigateway.CognitoUserPoolsAuthorizer(
            self,
            "Authorizer",
            cognito_user_pools=[pool],
            # Caching is safe, because Cognito refuses revoked tokens at once.
            results_cache_ttl=Duration.minutes(5),
        )
        kinds = apigateway.AuthorizationType
        for operation in Operation:
            resource = self.rest_api.root.resource_for_path(operation.path)
            method = resource.add_method(
                operation.method,
                apigateway.LambdaIntegration(functions[operation], allow_test_invoke=False),
                authorization_type=kinds.COGNITO if operation.signed_in else kinds.NONE,
                authorizer=authorizer if operation.signed_in else None,
                authorization_scopes=[SCOPE] if operation.signed_in else None,
            )
            if not operation.signed_in:
                _acknowledge_public(method, "Users who forgot their password cannot sign in")
            if settings.allowed_origins:
                deferred = _defers_origins(settings)
                preflight = resource.add_cors_preflight(
                    allow_origins=[NO_ORIGIN] if deferred else list(settings.allowed_origins),
                    allow_methods=[operation.method],
                    allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
                    max_age=Duration.hours(1),
                )
                if deferred:
                    made = cast("apigateway.CfnMethod", preflight.node.default_child)
                    templates = "Integration.IntegrationResponses.0.ResponseTemplates"
                    made.add_property_override(templates, {"application/json": ECHO})
                _acknowledge_public(preflight, "A browser sends a preflight without credentials")
            allowed = [operation.method, *(["OPTIONS"] if settings.allowed_origins else [])]
            others = _refuse_other_methods(resource, allowed)
            _acknowledge_public(others, "The answer says only which methods there are")
        for response_type, problem in GATEWAY_RESPONSES.items():
            self.rest_api.add_gateway_response(
                response_type.title().replace("_", ""),
                type=apigateway.ResponseType.of(response_type),
                status_code=str(problem.status),
                response_headers=_headers(problem),
                templates=_templates(problem),
            )


def _defers_origins(settings: Deployment) -> bool:
    """Whether only CloudFormation knows the origins, which may be one text with commas."""
    return any(Token.is_unresolved(one) for one in settings.allowed_origins)


def _deployment(access_log: logs.ILogGroup, settings: Deployment) -> apigateway.StageOptions:
    line = json.dumps(ACCESS_LOG | {"stage": settings.stage})
    # A stage variable is never empty.
    origins = {ORIGINS: f"{','.join(settings.allowed_origins)},"}
    return apigateway.StageOptions(
        stage_name="v1",
        variables=origins if _defers_origins(settings) else None,
        tracing_enabled=True,
        access_log_destination=apigateway.LogGroupLogDestination(access_log),
        access_log_format=apigateway.AccessLogFormat.custom(line),
        method_options={
            f"{operation.path}/{operation.method}": apigateway.MethodDeploymentOptions(
                throttling_rate_limit=operation.requests_per_second,
                throttling_burst_limit=operation.requests_per_second,
            )
            for operation in Operation
        },
    )


def _acknowledge_public(method: apigateway.Method, reason: str) -> None:
    acknowledge(method, {"APIG4": reason, "COG4": reason})


def _refuse_other_methods(
    resource: apigateway.IResource, allowed: Sequence[str]
) -> apigateway.Method:
    """Answer 405 (RFC 9110 §15.5.6), for which the gateway itself has no response type."""
    problem = problems.METHOD_NOT_ALLOWED
    headers = {
        f"method.response.header.{name}": value
        for name, value in (_headers(problem) | {"Allow": f"'{', '.join(allowed)}'"}).items()
    }
    return resource.add_method(
        "ANY",
        apigateway.MockIntegration(
            # A body that is not JSON gets the gateway's 415, not a template error.
            passthrough_behavior=apigateway.PassthroughBehavior.NEVER,
            request_templates={"application/json": json.dumps({"statusCode": problem.status})},
            integration_responses=[
                apigateway.IntegrationResponse(
                    status_code=str(problem.status),
                    response_parameters=headers,
                    response_templates=_templates(problem),
                )
            ],
        ),
        authorization_type=apigateway.AuthorizationType.NONE,
        method_responses=[
            apigateway.MethodResponse(
                status_code=str(problem.status), response_parameters=dict.fromkeys(headers, True)
            )
        ],
    )


def _headers(problem: Problem) -> dict[str, str]:
    # The gateway cannot choose an origin, and its responses hold nothing private.
    headers = problem.headers | {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": problems.EXPOSED,
    }
    return {name: f"'{value}'" for name, value in headers.items()}


def _templates(problem: Problem) -> dict[str, str]:
    # Only this key works: the gateway never chooses one for application/problem+json.
    return {"application/json": json.dumps(problem.document("$context.requestId"))}
