"""The JavaScript client and the README's programs, under Node, against the deployed stack."""

import json
import os
import re
import subprocess
from dataclasses import replace
from typing import Any

from functions.operations import Operation
from functions.problems import (
    CODE_REFUSED,
    NOT_SIGNED_IN,
    PASSWORD_REFUSED,
    SERVICE_UNAVAILABLE,
    WRONG_PASSWORD,
    Problem,
)
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api, Fronts, acted
from tests.support import PATIENCE, ROOT

THIRD = "a-third-quiet-harbour-53"


def node(source: str, **variables: object) -> str:
    """Return what a module prints that is in the client's folder."""
    return subprocess.run(
        ["node", "--input-type=module"],
        input=source,
        cwd=ROOT / "web",
        env={"PATH": os.environ["PATH"]} | {n: json.dumps(v) for n, v in variables.items()},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout


def call(stack: Stack, name: str, body: dict[str, Any], token: str = "") -> Any:
    """Return what a function of the client returns, or the error that it throws."""
    what = {"endpoint": stack.url, "name": name, "input": body, "token": token}
    ended = json.loads(node("import '../tests/web/call.js';", CALL=what))
    return ended["output"] if "output" in ended else ended["error"]


def check(error: dict[str, Any], problem: Problem) -> None:
    members = ("type", "name", "status", "message", "recoverySuggestion")
    assert {name: error[name] for name in members} == {
        "type": problem.type,
        "name": problem.code,
        "status": problem.status,
        "message": problem.detail,
        "recoverySuggestion": problem.recovery_suggestion,
    }


def test_the_client_resets_confirms_and_updates(api: Api, stack: Stack, user: User) -> None:
    username = {"username": user.username}
    shown = api.post(Operation.RESET_PASSWORD, username).body
    assert call(stack, "resetPassword", username) == shown

    code = stack.code(user.username)
    wrong = {"confirmationCode": "000000", "newPassword": NEW}
    check(call(stack, "confirmResetPassword", username | wrong), CODE_REFUSED)
    weak = {"confirmationCode": code, "newPassword": "short"}
    refused = call(stack, "confirmResetPassword", username | weak)
    check(refused, PASSWORD_REFUSED)
    assert [(error["rule"], error["params"]) for error in refused["errors"]] == [
        ("minLength", {"minimum": 15})
    ]
    right = {"confirmationCode": code, "newPassword": NEW}
    assert call(stack, "confirmResetPassword", username | right) is None

    token = stack.sign_in(User(user.username, NEW))["AccessToken"]
    change = {"oldPassword": NEW, "newPassword": THIRD}
    check(call(stack, "updatePassword", change | {"oldPassword": OLD}, token), WRONG_PASSWORD)
    check(call(stack, "updatePassword", change, "garbage"), NOT_SIGNED_IN)
    assert call(stack, "updatePassword", change)["name"] == "UserUnAuthenticatedException"
    everywhere = {"options": {"globalSignOut": True}}
    assert call(stack, "updatePassword", change | everywhere, token) is None
    assert stack.sign_in(User(user.username, THIRD))
    check(call(stack, "updatePassword", change, token), NOT_SIGNED_IN)


def test_the_client_that_lost_an_answer_asks_again_and_the_code_is_used_once(
    stack: Stack, user: User, fronts: Fronts
) -> None:
    code = stack.request_code(user.username)
    body = {"username": user.username, "confirmationCode": code, "newPassword": NEW}

    fronts.mail.answer("", forward=True, reset=True, times=1)
    over_it = replace(stack, url=stack.url.replace(stack.endpoint, fronts.mail.url))
    assert call(over_it, "confirmResetPassword", body) is None

    assert acted(fronts.cognito).count("ConfirmForgotPassword") == 1
    assert stack.sign_in(User(user.username, NEW))


def snippets() -> list[str]:
    """Return the README's programs in JavaScript."""
    return re.findall(r"```js\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)


def run_snippet(snippet: str, stack: Stack, user: User, **variables: str) -> list[Any]:
    """Run it in a session of Amplify's, and return what it shows."""
    session = {
        "endpoint": stack.endpoint,
        "userPoolId": stack.user_pool_id,
        "publicClientId": stack.public_client_id,
    }
    names = {"apiUrl": stack.url, "username": user.username, **variables}
    printed = node(
        f"""
        import '../tests/web/session.js';
        const {{ {", ".join(names)} }} = JSON.parse(process.env.NAMES);
        const show = (...shown) => console.log(JSON.stringify(shown));
        process.on('uncaughtException', (error) => show(error.name));
        {snippet}
        """,
        SESSION=session | {"url": stack.url} | user._asdict(),
        NAMES=names,
    )
    return [json.loads(line) for line in printed.splitlines()]


def test_the_readmes_client_updates_the_password_of_an_amplify_user(
    stack: Stack, user: User
) -> None:
    client, _ = snippets()

    wrong = run_snippet(client, stack, user, oldPassword=THIRD, newPassword=NEW)
    right = run_snippet(client, stack, user, oldPassword=OLD, newPassword=NEW)

    assert wrong == [[WRONG_PASSWORD.code, WRONG_PASSWORD.recovery_suggestion, None]]
    assert right == []
    assert stack.sign_in(User(user.username, NEW))


def test_the_readmes_post_sends_a_code_and_asks_once_when_it_fails(
    stack: Stack, user: User, fronts: Fronts
) -> None:
    _, post = snippets()

    assert run_snippet(post, stack, user) == []
    assert stack.code(user.username)

    fronts.reset()
    fronts.queue.answer("SendMessage", error="AWS.SimpleQueueService.NonExistentQueue")
    assert run_snippet(post, stack, user) == [[SERVICE_UNAVAILABLE.code]]
    assert [request.action for request in fronts.queue.requests] == ["SendMessage"]
