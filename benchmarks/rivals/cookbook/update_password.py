"""A handler as Powertools' documentation builds it: a resolver that validates with pydantic."""

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


class UpdatePassword(BaseModel):
    old_password: str = Field(alias="oldPassword", min_length=1, max_length=256)
    new_password: str = Field(alias="newPassword", min_length=1, max_length=256)


class Message(BaseModel):
    message: str


@app.post("/update-password")
@tracer.capture_method
def update_password(request: UpdatePassword) -> Message:
    client.change_password(
        AccessToken=app.current_event.headers["authorization"].removeprefix("Bearer "),
        PreviousPassword=request.old_password,
        ProposedPassword=request.new_password,
    )
    logger.info("Password changed")
    metrics.add_metric(name="PasswordChanged", unit=MetricUnit.Count, value=1)
    return Message(message="Password changed")


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
