"""The JavaScript client and Amplify itself, under Node, against the deployed stack."""

import json
import os
import re
import subprocess
from typing import Any

from functions.operations import Operation
from functions.problems import (
    CODE_REFUSED,
    NOT_FOUND,
    NOT_SIGNED_IN,
    PASSWORD_REFUSED,
    RESET_USERNAME_MISSING,
    SERVICE_UNAVAILABLE,
    UPDATE_PASSWORD_MISSING,
    WRONG_PASSWORD,
    Problem,
)
from local.processes import ROOT
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Api, Fronts, acted
from tests.support.front import CognitoFront

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
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
        timeout=120,
    ).stdout


def session(stack: Stack, user: User) -> dict[str, str]:
    """Whom Amplify signs in, and where."""
    return {
        "url": stack.url,
        "endpoint": stack.endpoint,
        "userPoolId": stack.user_pool_id,
        "publicClientId": stack.public_client_id,
        **user._asdict(),
    }


def call(stack: Stack, name: str, body: dict[str, Any], token: str = "", **more: int) -> Any:
    """What a function of the client gives, or the error that it throws."""
    what = {"endpoint": stack.url, "name": name, "input": body, "token": token, **more}
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
    shown = api.post(RESET, username).body
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
    assert call(stack, "updatePassword", change, token) is None
    assert stack.sign_in(User(user.username, THIRD))


def test_the_clients_one_extension_ends_the_sessions(api: Api, stack: Stack, user: User) -> None:
    token = stack.sign_in(user)["AccessToken"]
    change = {"oldPassword": OLD, "newPassword": NEW, "options": {"globalSignOut": True}}

    assert call(stack, "updatePassword", change, token) is None

    api.post(UPDATE, {"oldPassword": NEW, "newPassword": OLD}, token=token).check(NOT_SIGNED_IN)


def test_the_client_that_lost_an_answer_asks_again_and_the_code_is_used_once(
    stack: Stack, user: User, front: CognitoFront
) -> None:
    code = stack.request_code(user.username)
    body = {"username": user.username, "confirmationCode": code, "newPassword": NEW}
    front.answer("ConfirmForgotPassword", delay=2)

    assert call(stack, "confirmResetPassword", body, timeout=1000) is None

    assert acted(front).count("ConfirmForgotPassword") == 1
    assert stack.sign_in(User(user.username, NEW))


def test_post_of_amplify_has_the_names_of_the_problems(stack: Stack, user: User) -> None:
    change = {"oldPassword": OLD, "newPassword": NEW}
    code = {"username": user.username, "confirmationCode": "000000"}
    expected: list[tuple[str, dict[str, str], bool, Problem | None]] = [
        (RESET.path, {}, False, RESET_USERNAME_MISSING),
        (CONFIRM.path, code | {"newPassword": NEW}, False, CODE_REFUSED),
        (CONFIRM.path, code | {"newPassword": "short"}, False, PASSWORD_REFUSED),
        (UPDATE.path, change, False, NOT_SIGNED_IN),
        (UPDATE.path, {"oldPassword": "", "newPassword": NEW}, True, UPDATE_PASSWORD_MISSING),
        (UPDATE.path, change | {"oldPassword": THIRD}, True, WRONG_PASSWORD),
        ("/sign-up", {}, False, NOT_FOUND),
        (UPDATE.path, change, True, None),
    ]
    requests = [{"path": p, "body": b, "signedIn": s} for p, b, s, _ in expected]

    printed = node(
        "import '../tests/web/post.js';", SESSION=session(stack, user), REQUESTS=requests
    )

    assert json.loads(printed) == [problem and problem.code for *_, problem in expected]
    assert stack.sign_in(User(user.username, NEW))


def snippets() -> list[str]:
    """What the README shows in JavaScript."""
    return re.findall(r"```js\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)


def run_snippet(snippet: str, stack: Stack, user: User, **variables: str) -> list[Any]:
    """Run it in a session of Amplify's, and return what it shows."""
    names = {"apiUrl": stack.url, "username": user.username, **variables}
    printed = node(
        f"""
        import '../tests/web/session.js';
        const {{ {", ".join(names)} }} = JSON.parse(process.env.NAMES);
        const show = (...shown) => console.log(JSON.stringify(shown));
        process.on('uncaughtException', (error) => show(error.name));
        {snippet}
        """,
        SESSION=session(stack, user),
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


def test_the_readmes_post_sends_a_code(stack: Stack, user: User) -> None:
    _, post = snippets()

    assert run_snippet(post, stack, user) == []
    assert stack.code(user.username)


def test_the_readmes_post_asks_once_when_it_fails(stack: Stack, user: User, fronts: Fronts) -> None:
    _, post = snippets()
    fronts.queue.answer("SendMessage", error="AWS.SimpleQueueService.NonExistentQueue")

    assert run_snippet(post, stack, user) == [[SERVICE_UNAVAILABLE.code]]
    assert [request.action for request in fronts.queue.requests] == ["SendMessage"]
