"""The support desk on the deployed stack: by its queue, and without a change by hand."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.problems import ATTEMPTS_EXCEEDED, NOT_SIGNED_IN
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api
from tests.e2e.test_story import code_for, confirm
from tests.support import wait_until
from verification.support import find_queue, start

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD


@pytest.fixture
def ask(stack: Stack) -> Callable[[str, User], None]:
    """Start a task as `make support` does."""
    queue = find_queue(stack.client, "password-service-local", "")
    return lambda task, user: start(stack.client("sqs"), queue, task, user.username)


def test_a_user_who_was_refused_may_try_again_at_once(
    api: Api, stack: Stack, user: User, ask: Callable[[str, User], None]
) -> None:
    body = {"username": user.username}
    while (refused := api.post(RESET, body)).status == 200:
        pass
    assert refused.body["type"] == ATTEMPTS_EXCEEDED.type

    ask("clear_limits", user)

    wait_until(lambda: api.post(RESET, body).status == 200)


def test_a_required_reset_ends_sessions_and_the_old_password_and_the_user_chooses_a_new_one(
    api: Api, stack: Stack, user: User, ask: Callable[[str, User], None]
) -> None:
    token = stack.sign_in(user)["AccessToken"]

    ask("require_reset", user)

    def subjects() -> list[str]:
        return [one.subject for one in stack.mails() if one.to == user.username]

    wait_until(lambda: "Acme: You need a new password" in subjects())
    with pytest.raises(ClientError, match="PasswordResetRequired"):
        stack.sign_in(user)
    update = {"oldPassword": OLD, "newPassword": NEW}
    api.post(UPDATE, update, token=token).check(NOT_SIGNED_IN)
    assert api.post(CONFIRM, confirm(user, code_for(user, api, stack), NEW)).status == 204
    assert stack.sign_in(User(user.username, NEW))


def test_a_code_that_support_sends_is_like_any_other(
    api: Api, stack: Stack, user: User, ask: Callable[[str, User], None]
) -> None:
    ask("send_code", user)
    wait_until(lambda: [one.code for one in stack.mails() if one.to == user.username and one.code])

    code = str(stack.code(user.username))
    assert api.post(CONFIRM, confirm(user, code, NEW)).status == 204
