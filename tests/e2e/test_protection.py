"""The protection that the service adds to Cognito, through the deployed API."""

import json
from itertools import count
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
from tests.e2e.client import CONFIRM, RESET, UPDATE
from tests.e2e.conftest import NEW, OLD, Api, Fronts, acted
from tests.e2e.test_story import code_for, confirm
from tests.support import contract, wait_until
from tests.support.contract import ids
from tests.support.front import CognitoFront

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
    own = stack.sign_in(user)["AccessToken"]
    body = {"oldPassword": OLD, "newPassword": NEW, "options": {"globalSignOut": everywhere}}

    assert api.post(UPDATE, body, token=own).status == 204

    if everywhere:
        with pytest.raises(ClientError, match="revoked"):
            refresh(stack, user, other)
        for token in (own, other["AccessToken"]):
            api.post(UPDATE, body, token=token).check(NOT_SIGNED_IN)
    else:
        refresh(stack, user, other)


def tracked(id_: str, **more: object) -> dict[str, object]:
    kind = "SSO" if id_.startswith("sso") else "TOKEN"
    own = id_ == "tkn-own"
    known = {"SessionType": kind, "CreateDate": 1.0, "IsCurrentSession": own}
    return {"SessionId": id_} | known | more


@pytest.mark.parametrize(
    ("operation", "action", "ended"),
    [
        (UPDATE, "RevokeUserSession", {"tkn-other", "sso-other"}),
        (CONFIRM, "AdminRevokeUserSession", {"sso-own", "sso-other"}),
    ],
    ids=ids,
)
def test_where_sessions_are_tracked_a_change_ends_those_that_it_should(
    operation: Operation,
    action: str,
    ended: set[str],
    api: Api,
    stack: Stack,
    fronts: Fronts,
    user: User,
) -> None:
    own = tracked("tkn-own", OriginSessionId="sso-own")
    sessions = {"Sessions": [own, *map(tracked, ("tkn-other", "sso-own", "sso-other"))]}
    for reads in ("ListUserSessions", "AdminListUserSessions"):
        fronts.cognito.answer(reads, body=sessions)
    fronts.cognito.answer(action, body={})

    if operation is UPDATE:
        token = stack.sign_in(user)["AccessToken"]
        reply = api.post(UPDATE, {"oldPassword": OLD, "newPassword": NEW}, token=token)
    else:
        reply = api.post(CONFIRM, confirm(user, code_for(user, api, stack), NEW))

    assert reply.status == 204
    asked = [one.body["SessionId"] for one in fronts.cognito.requests if one.action == action]
    assert sorted(asked) == sorted(ended)
    # The second pass comes half a minute later, which the tests of the worker do not wait for.
    stack.client("sqs").purge_queue(QueueUrl=stack.queue)


def test_the_limit_comes_before_cognito_and_before_anybody_looks_a_user_up(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    def passed(username: str) -> int:
        for number in count():
            reply = api.post(RESET, {"username": username})
            if reply.status != 200:
                assert (reply.status, reply.body["code"]) == (429, ATTEMPTS_EXCEEDED.code)
                assert 0 < int(reply.headers["Retry-After"]) <= limits.WINDOW
                return number
        raise AssertionError

    numbers = [passed(name) for name in (user.username, user.username.replace("ada", "eve"))]

    # The attempts that straddle a full hour have the limits of both hours.
    most = RESET.attempts_per_hour
    assert all(most <= number <= 2 * most for number in numbers)
    assert stack.settle()
    # The worker drops the others.
    assert acted(front).count(RESET.action) == len(numbers)
    assert Api(stack, "198.19.0.1").post(RESET, {"username": user.username}).status == 200


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


def test_a_stolen_password_is_refused(api: Api, stack: Stack, user: User) -> None:
    token = stack.sign_in(user)["AccessToken"]

    refused = api.post(UPDATE, {"oldPassword": OLD, "newPassword": PASSWORDS[0]}, token=token)

    assert [e["rule"] for e in refused.check(PASSWORD_REFUSED)["errors"]] == ["breached"]
    assert stack.sign_in(user)


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

    def both_are_told() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            event = json.loads(message["Body"])
            contract.check_event(event)
            told[event["detail-type"]] = event["detail"]
        return len(told) > 1

    wait_until(both_are_told)
    assert told.keys() == {"Password Reset Confirmed", "Password Updated"}
    assert told["Password Reset Confirmed"]["username"] == user.username
    assert told["Password Reset Confirmed"]["sub"] == told["Password Updated"]["sub"] != ""
    assert not [secret for secret in (OLD, NEW, token) if secret in json.dumps(told)]


def test_a_lost_answer_may_be_asked_for_again_and_the_table_keeps_no_secret(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    code = code_for(user, api, stack)
    body = confirm(user, code, NEW)

    replies = [api.post(CONFIRM, body, Idempotency_Key=KEY) for _ in range(3)]

    assert [(reply.status, reply.text) for reply in replies] == [(204, "")] * 3
    assert acted(front).count(CONFIRM.action) == 1
    assert stack.sign_in(User(user.username, NEW))
    dynamodb = stack.client("dynamodb")
    (name,) = dynamodb.list_tables()["TableNames"]
    items = str(dynamodb.scan(TableName=name)["Items"])
    assert "limit#" in items
    assert "idempotency#" in items
    assert not [v for v in (user.username, "198.18.", NEW, code, KEY) if v in items]
