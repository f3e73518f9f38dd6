"""A CDK app of your own, with the password service for a user pool that exists."""

from aws_cdk import App, CfnOutput, Stack
from aws_cdk.aws_cognito import UserPool, UserPoolClient
from cognito_password_service import PasswordService

app = App()
context = app.node.try_get_context
stack = Stack(app, "Shop")
passwords = PasswordService(
    stack,
    "Passwords",
    user_pool=UserPool.from_user_pool_id(stack, "Pool", context("userPoolId")),
    user_pool_client=UserPoolClient.from_user_pool_client_id(
        stack, "Client", context("userPoolClientId")
    ),
    **(context("passwords") or {}),  # settings by their Python names, such as allowed_origins
)
CfnOutput(stack, "PasswordsUrl", value=passwords.url)
app.synth()
