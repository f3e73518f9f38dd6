"""The story of a person, through the deployed API."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.problems import CODE_REFUSED, PASSWORD_REFUSED, WRONG_PASSWORD, Problem
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api, what_an_attacker_sees
from tests.support import contract
from tests.support.front import CognitoFront

THIRD = "a-third-quiet-harbour-53"
RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD


def code_for(user: User, api: Api, stack: Stack) -> str:
    assert api.post(RESET, {"username": user.username}).status == 200
    code = stack.code(user.username)
    assert code is not None
    return code


def confirm(user: User, code: str, password: str) -> dict[str, str]:
    return {"username": user.username, "confirmationCode": code, "newPassword": password}


def is_refused(stack: Stack, user: User) -> bool:
    with pytest.raises(ClientError, match="Incorrect username or password"):
        stack.sign_in(user)
    return True


def test_a_forgotten_password_is_reset_and_the_new_one_updated(
    api: Api, stack: Stack, user: User
) -> None:
    stack.sign_in(user)

    code = code_for(user, api, stack)
    confirmed = api.post(CONFIRM, confirm(user, code, NEW))
    assert (confirmed.status, confirmed.text) == (204, "")
    assert is_refused(stack, user)
    token = stack.sign_in(User(user.username, NEW))["AccessToken"]
    api.post(CONFIRM, confirm(user, code, THIRD)).check(CODE_REFUSED)

    updated = api.post(UPDATE, {"oldPassword": NEW, "newPassword": THIRD}, token=token)
    assert (updated.status, updated.text) == (204, "")
    assert is_refused(stack, User(user.username, NEW))
    assert stack.sign_in(User(user.username, THIRD))

    assert stack.settle()
    notices = [m.subject for m in stack.mails() if m.to == user.username and not m.code]
    assert notices == ["Acme: Your password was changed"] * 2


def test_a_refused_confirmation_leaves_the_password_and_the_code(
    api: Api, stack: Stack, user: User
) -> None:
    code = code_for(user, api, stack)
    wrong = f"{(int(code) + 1) % 10**6:06}"

    api.post(CONFIRM, confirm(user, wrong, NEW)).check(CODE_REFUSED)
    api.post(CONFIRM, confirm(user, code, "too-short")).check(PASSWORD_REFUSED)

    assert stack.sign_in(user)
    assert api.post(CONFIRM, confirm(user, code, NEW)).status == 204


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"newPassword": "too-short"}, PASSWORD_REFUSED), ({"oldPassword": THIRD}, WRONG_PASSWORD)],
    ids=["weak", "wrong"],
)
def test_a_refused_update_leaves_the_password_and_the_session(
    api: Api, stack: Stack, user: User, change: dict[str, str], problem: Problem
) -> None:
    token = stack.sign_in(user)["AccessToken"]
    body = {"oldPassword": OLD, "newPassword": NEW}

    api.post(UPDATE, body | change, token=token).check(problem)

    assert stack.sign_in(user)
    assert api.post(UPDATE, body, token=token).status == 204


def test_client_metadata_reaches_cognito(
    api: Api, stack: Stack, user: User, front: CognitoFront
) -> None:
    metadata = {"locale": "en-GB", "campaign": "ü"}
    options: dict[str, Any] = {"options": {"clientMetadata": metadata}}

    api.post(RESET, {"username": user.username} | options)
    code = stack.code(user.username)
    assert code is not None
    assert api.post(CONFIRM, confirm(user, code, NEW) | options).status == 204

    assert {
        request.action: request.body["ClientMetadata"]
        for request in front.requests
        if "ClientMetadata" in request.body
    } == {"ForgotPassword": metadata, "ConfirmForgotPassword": metadata}


def test_what_the_policy_says_is_what_the_service_refuses_for_any_user(
    api: Api, user: User, front: CognitoFront
) -> None:
    policy = api.send("GET", Operation.PASSWORD_POLICY.path)
    contract.check(Operation.PASSWORD_POLICY, *policy)
    listed = {one["rule"]: one.get("params") for one in policy.body["rules"]}
    users = (user, User(user.username.replace("ada", "eve"), ""))
    names = [one.username.partition("@")[0] for one in users]

    replies = [
        api.post(CONFIRM, confirm(one, "000000", f" ACM3{one.username}"[:14])) for one in users
    ]

    assert policy.headers["Cache-Control"] == "public, max-age=300"
    assert listed["minLength"] == {"minimum": 15}
    assert "usedBefore" not in listed  # the emulator remembers no earlier passwords
    for refused in replies:
        broken = {error["rule"] for error in refused.check(PASSWORD_REFUSED)["errors"]}
        assert broken == {"minLength", "edgeSpace", "forbiddenWord", "containsUsername"}
        assert broken < {*listed}
    # Each error names the part of the name that was typed.
    known, unknown = (
        str(what_an_attacker_sees(reply)).replace(name, "")
        for reply, name in zip(replies, names, strict=True)
    )
    assert known == unknown
    assert CONFIRM.action not in {request.action for request in front.requests}
