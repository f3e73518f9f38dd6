"""The least that Python can do: its own HTTP client, and no SDK."""

import json
import os
import ssl
from http.client import HTTPSConnection
from urllib.parse import urlsplit

url = urlsplit(os.environ["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"])
connection = HTTPSConnection(url.hostname, url.port, context=ssl.create_default_context())


def call(action, **parameters):
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AWSCognitoIdentityProviderService.{action}",
    }
    connection.request("POST", "/", json.dumps(parameters), headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        raise RuntimeError(answer)
    return answer


def reset_password(event, context):
    body = json.loads(event["body"])
    call("ForgotPassword", ClientId=os.environ["CLIENT_ID"], Username=body["username"])
    return {"statusCode": 200, "body": json.dumps({"message": "Code sent"})}


def confirm_reset_password(event, context):
    body = json.loads(event["body"])
    call(
        "ConfirmForgotPassword",
        ClientId=os.environ["CLIENT_ID"],
        Username=body["username"],
        ConfirmationCode=body["confirmationCode"],
        Password=body["newPassword"],
    )
    return {"statusCode": 200, "body": json.dumps({"message": "Password changed"})}


def update_password(event, context):
    body = json.loads(event["body"])
    call(
        "ChangePassword",
        AccessToken=event["headers"]["authorization"].removeprefix("Bearer "),
        PreviousPassword=body["oldPassword"],
        ProposedPassword=body["newPassword"],
    )
    return {"statusCode": 200, "body": json.dumps({"message": "Password changed"})}


if __name__ == "__main__":
    # Without Lambda's runtime client around it.
    event = {"body": json.dumps({"username": "demo", "confirmationCode": "1", "newPassword": "2"})}
    confirm_reset_password(event, None)
