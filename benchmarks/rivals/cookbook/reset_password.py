"""A handler as Powertools' documentation builds it: a resolver that validates with pydantic."""

import os

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

logger = Logger()
tracer = Tracer()
metrics = Metrics()
app = APIGatewayRestResolver(enable_validation=True)
client = boto3.client("cognito-idp")


class Options(BaseModel):
    client_metadata: dict[str, str] = Field(alias="clientMetadata", default={})


class ResetPassword(BaseModel):
    username: str = Field(min_length=1, max_length=128)
    options: Options = Options()


class Message(BaseModel):
    message: str


@app.post("/reset-password")
@tracer.capture_method
def reset_password(request: ResetPassword) -> Message:
    client.forgot_password(
        ClientId=os.environ["CLIENT_ID"],
        Username=request.username,
        ClientMetadata=request.options.client_metadata,
    )
    logger.info("Code sent")
    metrics.add_metric(name="CodeSent", unit=MetricUnit.Count, value=1)
    return Message(message="Code sent")


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
