"""What the service adds to Cognito, through the deployed API."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.problems import (
    ATTEMPTS_EXCEEDED,
    INVALID_REQUEST,
    NOT_SIGNED_IN,
    PASSWORD_REFUSED,
)
from functions.protection import limits
from local.breaches import PASSWORDS
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api
from tests.e2e.test_silence import what_an_attacker_sees
from tests.e2e.test_story import code_for, confirm
from tests.support.front import CognitoFront

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


def refresh(stack: Stack, user: User, tokens: dict[str, str]) -> None:
    idp = stack.client("cognito-idp")
    # Here the hash covers what Cognito calls the user, which is not the address.
    own = idp.admin_get_user(UserPoolId=stack.user_pool_id, Username=user.username)["Username"]
    idp.admin_initiate_auth(
        UserPoolId=stack.user_pool_id,
        ClientId=stack.user_pool_client_id,
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={
            "REFRESH_TOKEN": tokens["RefreshToken"],
            "SECRET_HASH": stack.secret_hash(own),
        },
    )


def test_a_stolen_refresh_token_dies_with_the_reset(api: Api, stack: Stack, user: User) -> None:
    stolen = stack.sign_in(user)
    refresh(stack, user, stolen)

    api.post(CONFIRM, confirm(user, code_for(user, api, stack), NEW))

    with pytest.raises(ClientError, match="revoked"):
        refresh(stack, user, stolen)
    update = {"oldPassword": NEW, "newPassword": OLD}
    api.post(UPDATE, update, token=stolen["AccessToken"]).check(NOT_SIGNED_IN)


@pytest.mark.parametrize("everywhere", [True, False])
def test_an_update_ends_other_sessions_if_the_caller_says_so(
    api: Api, stack: Stack, user: User, everywhere: bool
) -> None:
    other = stack.sign_in(user)
    body = {"oldPassword": OLD, "newPassword": NEW, "options": {"globalSignOut": everywhere}}

    assert api.post(UPDATE, body, token=stack.sign_in(user)["AccessToken"]).status == 204

    if everywhere:
        with pytest.raises(ClientError, match="revoked"):
            refresh(stack, user, other)
    else:
        refresh(stack, user, other)


def test_the_limit_comes_before_cognito_and_before_anybody_looks_a_user_up(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    known = [api.post(RESET, {"username": user.username}) for _ in range(7)]
    stranger = user.username.replace("ada", "eve")
    unknown = [api.post(RESET, {"username": stranger}) for _ in range(7)]

    assert [reply.status for reply in known] == [200] * 5 + [429] * 2
    assert [reply.status for reply in unknown] == [200] * 5 + [429] * 2
    assert known[-1].body["code"] == ATTEMPTS_EXCEEDED.code
    assert 0 < int(known[-1].headers["Retry-After"]) <= limits.WINDOW
    assert stack.settle()
    assert [r.action for r in front.requests].count("ForgotPassword") == 10


def test_another_address_is_not_locked_out(api: Api, stack: Stack, user: User) -> None:
    for _ in range(6):
        api.post(RESET, {"username": user.username})

    assert Api(stack, "198.19.0.1").post(RESET, {"username": user.username}).status == 200


def test_every_unmet_rule_is_named_for_any_user_alike(
    api: Api, user: User, front: CognitoFront
) -> None:
    stranger = user.username.replace("ada", "eve")
    replies = [
        api.post(
            CONFIRM,
            {"username": name, "confirmationCode": "000000", "newPassword": f" {name}"[:12]},
        )
        for name in (user.username, stranger)
    ]

    for reply in replies:
        rules = {error["rule"] for error in reply.check(PASSWORD_REFUSED)["errors"]}
        assert rules == {"minLength", "edgeSpace", "containsUsername"}
    assert what_an_attacker_sees(replies[0]) == what_an_attacker_sees(replies[1])
    assert "ConfirmForgotPassword" not in {request.action for request in front.requests}


def test_a_password_contains_no_name_that_its_user_signs_in_by(
    api: Api, stack: Stack, user: User
) -> None:
    idp = stack.client("cognito-idp")
    sub = idp.admin_get_user(UserPoolId=stack.user_pool_id, Username=user.username)["Username"]
    update = {"oldPassword": OLD, "newPassword": f"I am {user.username}"}

    updated = api.post(UPDATE, update, token=stack.sign_in(user)["AccessToken"])
    confirmed = api.post(CONFIRM, confirm(User(sub, OLD), "000000", NEW))

    assert [e["rule"] for e in updated.check(PASSWORD_REFUSED)["errors"]] == ["containsUsername"]
    assert [e["rule"] for e in confirmed.check(INVALID_REQUEST)["errors"]] == ["signInName"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_stolen_password_is_refused(api: Api, stack: Stack, user: User, password: str) -> None:
    token = stack.sign_in(user)["AccessToken"]

    refused = api.post(UPDATE, {"oldPassword": OLD, "newPassword": password}, token=token)

    assert [e["rule"] for e in refused.check(PASSWORD_REFUSED)["errors"]] == ["breached"]
    assert stack.sign_in(user)


def test_a_lost_answer_may_be_asked_for_again(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    body = confirm(user, code_for(user, api, stack), NEW)

    replies = [api.post(CONFIRM, body, Idempotency_Key=KEY) for _ in range(3)]

    assert [(reply.status, reply.text) for reply in replies] == [(204, "")] * 3
    assert [r.action for r in front.requests].count("ConfirmForgotPassword") == 1
    assert stack.sign_in(User(user.username, NEW))


def test_a_new_password_is_announced_to_other_services(api: Api, stack: Stack, user: User) -> None:
    sqs, events = stack.client("sqs"), stack.client("events")
    (bus,) = {bus["Name"] for bus in events.list_event_buses()["EventBuses"]} - {"default"}
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": ["password-service"]})
    events.put_rule(Name="told", EventBusName=bus, EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    events.put_targets(Rule="told", EventBusName=bus, Targets=[target])

    api.post(CONFIRM, confirm(user, code_for(user, api, stack), NEW))
    token = stack.sign_in(User(user.username, NEW))["AccessToken"]
    api.post(UPDATE, {"oldPassword": NEW, "newPassword": OLD}, token=token)

    told: dict[str, Any] = {}
    while len(told) < 2:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        received = [json.loads(message["Body"]) for message in answer["Messages"]]
        told |= {event["detail-type"]: event["detail"] for event in received}
    assert told.keys() == {"Password Reset Confirmed", "Password Updated"}
    assert told["Password Reset Confirmed"]["username"] == user.username
    assert told["Password Updated"]["sub"]
    assert not [secret for secret in (OLD, NEW, token) if secret in json.dumps(told)]


def test_the_table_holds_no_names_addresses_or_secrets(api: Api, stack: Stack, user: User) -> None:
    code = code_for(user, api, stack)
    api.post(CONFIRM, confirm(user, code, NEW), Idempotency_Key=KEY)
    dynamodb = stack.client("dynamodb")
    (name,) = dynamodb.list_tables()["TableNames"]

    items = str(dynamodb.scan(TableName=name)["Items"])

    assert "limit#" in items
    assert "idempotency#" in items
    assert not [v for v in (user.username, "198.18.", NEW, code, KEY) if v in items]


def test_a_token_of_another_client_of_the_pool_is_refused(
    api: Api, stack: Stack, user: User
) -> None:
    idp = stack.client("cognito-idp")
    other = idp.create_user_pool_client(
        UserPoolId=stack.user_pool_id,
        ClientName="another",
        ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )["UserPoolClient"]["ClientId"]
    answer = idp.admin_initiate_auth(
        UserPoolId=stack.user_pool_id,
        ClientId=other,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user.username, "PASSWORD": user.password},
    )
    token = answer["AuthenticationResult"]["AccessToken"]

    refused = api.post(UPDATE, {"oldPassword": OLD, "newPassword": NEW}, token=token)
    idp.delete_user_pool_client(UserPoolId=stack.user_pool_id, ClientId=other)

    refused.check(NOT_SIGNED_IN)
    assert stack.sign_in(user)
