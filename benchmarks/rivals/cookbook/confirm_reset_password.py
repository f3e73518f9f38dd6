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


class ConfirmResetPassword(BaseModel):
    username: str = Field(min_length=1, max_length=128)
    confirmation_code: str = Field(alias="confirmationCode", min_length=1, max_length=2048)
    new_password: str = Field(alias="newPassword", min_length=1, max_length=256)


class Message(BaseModel):
    message: str


@app.post("/confirm-reset-password")
@tracer.capture_method
def confirm_reset_password(request: ConfirmResetPassword) -> Message:
    client.confirm_forgot_password(
        ClientId=os.environ["CLIENT_ID"],
        Username=request.username,
        ConfirmationCode=request.confirmation_code,
        Password=request.new_password,
    )
    logger.info("Password changed")
    metrics.add_metric(name="PasswordChanged", unit=MetricUnit.Count, value=1)
    return Message(message="Password changed")


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
