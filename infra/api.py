"""The REST API: a method for each operation, and answers for what never reaches one."""

import json
from collections.abc import Mapping
from typing import Final

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from functions import problems
from functions.operations import SCOPE, Operation
from functions.problems import Problem
from infra.settings import Stage

_PUSH_TO_CLOUD_WATCH: Final = (
    "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
)


class Api(Construct):
    """The gateway in front of the functions."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        stage: Stage,
        pool: cognito.IUserPool,
        functions: Mapping[Operation, lambda_.IFunction],
    ) -> None:
        super().__init__(scope, id_)
        self.rest_api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=f"password-service-{stage.name}",
            description="Reset, confirm and update passwords",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=stage.cloud_watch_role,
            cloud_watch_role_removal_policy=(
                RemovalPolicy.RETAIN if stage.cloud_watch_role else None
            ),
            deploy_options=_deployment(self, stage),
        )
        # An output of its own, with a name that only the CDK knows.
        self.rest_api.node.try_remove_child("Endpoint")
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-APIG2",
                reason="A body is judged by the function, which lists all that is wrong with it",
            ),
            Acknowledgment(id="AwsSolutions-APIG3", reason="A web ACL is a setting to come"),
            Acknowledgment(
                id="AwsSolutions-APIG6",
                reason="Execution logs can quote a body; the access log says what is needed",
            ),
            Acknowledgment(
                id=f"AwsSolutions-IAM4[Policy::{_PUSH_TO_CLOUD_WATCH}]",
                reason="The policy that AWS made for this purpose",
            ),
        )
        authorizer = apigateway.CognitoUserPoolsAuthorizer(
            self,
            "Authorizer",
            cognito_user_pools=[pool],
            # Nothing is lost: a revoked token is Cognito's to refuse, which it does at once.
            results_cache_ttl=Duration.minutes(5),
        )
        for operation in Operation:
            resource = self.rest_api.root.resource_for_path(operation.path)
            method = resource.add_method(
                operation.method,
                apigateway.LambdaIntegration(functions[operation], allow_test_invoke=False),
                authorization_type=(
                    apigateway.AuthorizationType.COGNITO
                    if operation.signed_in
                    else apigateway.AuthorizationType.NONE
                ),
                authorizer=authorizer if operation.signed_in else None,
                authorization_scopes=[SCOPE] if operation.signed_in else None,
            )
            if not operation.signed_in:
                _acknowledge_public(method, "Who has forgotten the password cannot be signed in")
            if stage.allowed_origins:
                preflight = resource.add_cors_preflight(
                    allow_origins=list(stage.allowed_origins),
                    allow_methods=[operation.method],
                    allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
                    max_age=Duration.hours(1),
                )
                _acknowledge_public(preflight, "A browser sends a preflight without credentials")
        for response_type, problem in problems.GATEWAY.items():
            _add_response(self.rest_api, response_type, problem)


def _deployment(scope: Construct, stage: Stage) -> apigateway.StageOptions:
    access_logs = logs.LogGroup(
        scope,
        "AccessLogs",
        retention=stage.log_retention,
        removal_policy=stage.removal_policy,
    )
    return apigateway.StageOptions(
        stage_name="v1",
        tracing_enabled=True,
        access_log_destination=apigateway.LogGroupLogDestination(access_logs),
        # Nothing that a caller writes: neither bodies nor headers, whose quotes could forge a
        # member, nor $context.error.validationErrorString, which quotes a refused password.
        access_log_format=apigateway.AccessLogFormat.custom(
            json.dumps(
                {
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
            )
        ),
        method_options={
            f"{operation.path}/{operation.method}": apigateway.MethodDeploymentOptions(
                throttling_rate_limit=operation.requests_per_second,
                throttling_burst_limit=operation.requests_per_second,
            )
            for operation in Operation
        },
    )


def _acknowledge_public(method: apigateway.Method, reason: str) -> None:
    Validations.of(method).acknowledge(
        Acknowledgment(id="AwsSolutions-APIG4", reason=reason),
        Acknowledgment(id="AwsSolutions-COG4", reason=reason),
    )


def _add_response(api: apigateway.RestApi, response_type: str, problem: Problem) -> None:
    # The gateway cannot choose an origin; what it says holds nothing private.
    headers = problem.headers | {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
    }
    api.add_gateway_response(
        response_type.title().replace("_", ""),
        type=apigateway.ResponseType.of(response_type),
        status_code=str(problem.status),
        response_headers={name: f"'{value}'" for name, value in headers.items()},
        # Keyed by this type alone: one for application/problem+json is never chosen.
        templates={"application/json": json.dumps(problem.document("$context.requestId"))},
    )
