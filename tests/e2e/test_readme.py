"""The commands of the README and the programs of docs/adopting.md, on the deployed stack."""

import json
import os
import re
import subprocess

from local.processes import ROOT
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, end_pauses

README = (ROOT / "README.md").read_text()
ADOPTING = (ROOT / "docs/adopting.md").read_text()


def test_the_readmes_commands_do_what_it_says(stack: Stack) -> None:
    reset, confirm, update, policy, failure = re.findall(
        r"```sh\n(curl .*?)\n```", README, re.DOTALL
    )
    shown, rules, problem = map(json.loads, re.findall(r"```json\n(.*?)\n```", README, re.DOTALL))
    user = stack.demo_user

    def run(command: str, **variables: str) -> str:
        environment = {"PATH": os.environ["PATH"], "URL": stack.url, **variables}
        shell = ["bash", "-euc", command]
        return subprocess.run(
            shell, env=environment, capture_output=True, text=True, check=True
        ).stdout

    end_pauses(stack)  # another test may have reset this user
    assert json.loads(run(reset)) == shown
    assert run(confirm, CODE=stack.code(user.username) or "") == ""
    token = stack.sign_in(User(user.username, "second-quiet-harbour-42"))["AccessToken"]
    assert run(update, TOKEN=token) == ""
    assert stack.sign_in(User(user.username, "third-quiet-harbour-43"))
    listed = json.loads(run(policy))["rules"]
    assert [rule for rule in listed if rule in rules["rules"]] == rules["rules"]
    assert json.loads(run(failure)) | {"requestId": "…"} == problem


def run_program(program: str, *values: tuple[str, str]) -> str:
    """Run a program of adopting.md with other values in it."""
    for shown, value in values:
        assert program.count(shown) == 1
        program = program.replace(shown, value)
    return subprocess.run(
        ["node", "--input-type=module"],
        input=program,
        cwd=ROOT / "web",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_programs_for_a_page_and_a_server_do_their_work(stack: Stack, user: User) -> None:
    page, server = re.findall(r"```js\n(.*?)```", ADOPTING, re.DOTALL)
    there = ("https://passwords.example.com", stack.url)
    token = stack.sign_in(user)["AccessToken"]

    asked = run_program(page, there)
    values = [("the token of the session of this request", token), ("the old one", OLD)]
    run_program(server, there, *values, ("a new one", NEW))

    assert asked == "CONFIRM_RESET_PASSWORD_WITH_CODE\n"
    assert stack.sign_in(User(user.username, NEW))
