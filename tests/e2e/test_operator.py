"""The operator sees our own faults, and nobody sees a secret."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.operations import Operation
from functions.problems import INTERNAL_ERROR
from local.stack import Stack, User
from tests.e2e.client import CONFIRM, RESET, UPDATE
from tests.e2e.conftest import NEW, Api, end_pauses
from tests.e2e.test_story import confirm
from tests.support import wait_until
from tests.support.front import CognitoFront

GRANT = "cognito-idp:DescribeUserPoolClient"


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def grants(statement: dict[str, Any]) -> bool:
    actions = statement["Action"]
    return GRANT in ([actions] if isinstance(actions, str) else actions)


@pytest.fixture
def no_grant(stack: Stack) -> Iterator[None]:
    """The functions' roles without the right to read the client's secret."""
    iam = stack.client("iam")
    removed = []
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            policy = {"RoleName": role["RoleName"], "PolicyName": name}
            document = iam.get_role_policy(**policy)["PolicyDocument"]
            kept = [one for one in statements(document) if not grants(one)]
            if len(kept) < len(statements(document)):
                removed.append((policy, document))
                put_policy(stack, policy, document | {"Statement": kept})
    assert removed
    yield
    for policy, document in removed:
        put_policy(stack, policy, document)


def put_policy(stack: Stack, policy: dict[str, str], document: dict[str, Any]) -> None:
    iam = stack.client("iam")
    if document["Statement"]:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps(document))
    else:
        iam.delete_role_policy(**policy)


def forget_the_secret(front: CognitoFront, action: str) -> None:
    """Let the function read the client's secret again, as it does when Cognito refuses its use."""
    told = "Unable to verify secret hash for client 1example"
    front.answer(action, error="NotAuthorizedException", message=told, times=1)


@pytest.mark.usefixtures("no_grant")
def test_a_missing_grant_is_our_fault_and_nobody_is_told_which(
    api: Api, front: CognitoFront, user: User
) -> None:
    forget_the_secret(front, CONFIRM.action)

    refused = api.post(CONFIRM, confirm(user, "000000", NEW))

    document = refused.check(INTERNAL_ERROR)
    assert "errors" not in document
    for told in ("AccessDenied", "DescribeUserPoolClient", "secret", "arn:"):
        assert told not in refused.text


@pytest.mark.parametrize("operation", [RESET, CONFIRM], ids=lambda operation: operation.id)
def test_a_grant_that_is_back_is_used_without_a_new_deployment(
    api: Api, front: CognitoFront, user: User, operation: Operation
) -> None:
    body = {RESET: {"username": user.username}, CONFIRM: confirm(user, "000000", NEW)}[operation]
    forget_the_secret(front, operation.action)

    assert api.post(operation, body).status < 500
    wait_until(lambda: [one.action for one in front.requests].count(operation.action) == 2)
    assert "DescribeUserPoolClient" in {request.action for request in front.requests}


def logged(stack: Stack) -> str:
    """Everything in every log group of the account."""
    logs = stack.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    return "\n".join(
        event["message"]
        for group in groups
        for event in logs.filter_log_events(logGroupName=group)["events"]
    )


def test_no_log_holds_a_secret(api: Api, front: CognitoFront, stack: Stack, user: User) -> None:
    token = stack.sign_in(user)["AccessToken"]
    secret = stack.client("cognito-idp").describe_user_pool_client(
        UserPoolId=stack.user_pool_id, ClientId=stack.user_pool_client_id
    )["UserPoolClient"]["ClientSecret"]
    canaries = {
        "old password": user.password,
        "new password": "canary-new-password-61",
        "code": "canary-code-62",
        "access token": token,
        "client secret": secret,
        "secret hash": stack.secret_hash(user.username),
        "metadata": "canary-metadata-63",
    }
    options = {"options": {"clientMetadata": {"note": canaries["metadata"]}}}
    confirmation = confirm(user, canaries["code"], canaries["new password"])
    update = {"oldPassword": user.password, "newPassword": canaries["new password"]}
    sent: dict[Operation, tuple[dict[str, Any], str | None]] = {
        RESET: ({"username": user.username} | options, None),
        CONFIRM: (confirmation | options, None),
        UPDATE: (update, token),
    }
    marks = []
    for operation, (body, own_token) in sent.items():
        for error in (None, "InvalidParameterException", "SomethingUnheardOfException"):
            if error:
                echo = f"1 validation error: {body} {own_token}"
                front.answer(operation.action, error=error, message=echo)
                end_pauses(stack)
            for one in (body, body | {"rememberMe": list(canaries.values())}):
                reply = api.post(operation, one, token=own_token)
                assert not [name for name, canary in canaries.items() if canary in reply.text]
                marks += [reply.body["requestId"]] if "requestId" in reply.text else []

    texts = [""]

    def arrived() -> bool:
        texts.append(logged(stack))
        return all(mark in texts[-1] for mark in marks)

    wait_until(arrived)
    assert not [name for name, canary in canaries.items() if canary in texts[-1]]
