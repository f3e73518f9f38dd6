"""Handlers as boto3's guide builds them: one client, the calls, no instrumentation."""

import json
import os

import boto3

client = boto3.client("cognito-idp")


def reset_password(event, context):
    body = json.loads(event["body"])
    client.forgot_password(
        ClientId=os.environ["CLIENT_ID"],
        Username=body["username"],
        ClientMetadata=body["options"]["clientMetadata"],
    )
    return {"statusCode": 200, "body": json.dumps({"message": "Code sent"})}


def confirm_reset_password(event, context):
    body = json.loads(event["body"])
    client.confirm_forgot_password(
        ClientId=os.environ["CLIENT_ID"],
        Username=body["username"],
        ConfirmationCode=body["confirmationCode"],
        Password=body["newPassword"],
    )
    return {"statusCode": 200, "body": json.dumps({"message": "Password changed"})}


def confirm_reset_password_and_sign_out(event, context):
    answer = confirm_reset_password(event, context)
    client.admin_user_global_sign_out(
        UserPoolId=os.environ["USER_POOL_ID"],
        Username=json.loads(event["body"])["username"],
    )
    return answer


def update_password(event, context):
    body = json.loads(event["body"])
    client.change_password(
        AccessToken=event["headers"]["authorization"].removeprefix("Bearer "),
        PreviousPassword=body["oldPassword"],
        ProposedPassword=body["newPassword"],
    )
    return {"statusCode": 200, "body": json.dumps({"message": "Password changed"})}
