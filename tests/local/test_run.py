"""`make run` and `make invoke`, as a person uses them."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from urllib3 import BaseHTTPResponse

from functions.aws.queue import Task
from functions.operations import Operation
from local import emulator
from local.processes import ROOT
from tests.local.clone import START_UP, Run, alive, clone, environment, left, wait_for_the_end

README = (ROOT / "README.md").read_text()
STATUSES = {
    "reset_password": 200,
    "reset_password.unknown_user": 200,
    "reset_password.empty_username": 400,
    "reset_password.wrong_content_type": 415,
    "confirm_reset_password": 204,
    "confirm_reset_password.wrong_code": 400,
    "confirm_reset_password.weak_password": 400,
    "confirm_reset_password.several_fields": 400,
    "update_password": 204,
    "update_password.wrong_old_password": 403,
    "update_password.dead_token": 401,
    "password_policy": 200,
}
"""What each sample event is answered with."""
MESSAGES = tuple(f"worker_{task}" for task in Task)

INVITED = "an-invited-quiet-harbour"
PASSWORDS = (
    "it's-a-quiet-harbour",
    "$HOME-$(quiet)-$$",
    "a `quiet` harbour",
    'the-"quiet"-harbour',
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A stack that is ready; one of the last tests here stops it."""
    with Run(clone(tmp_path_factory.mktemp("run") / "clone")) as run:
        run.wait_for("\nready ")
        yield run


def test_says_what_it_does_and_ends_with_the_base_url(run: Run) -> None:
    *_, last = run.printed.splitlines()

    assert last == f"ready {json.loads(run.stack_file.read_text())['url']}"
    for step in ("starting the emulator", "synthesizing", "deploying", "started"):
        assert step in run.printed


def test_writes_down_for_tools_what_is_running(run: Run) -> None:
    stack = json.loads(run.stack_file.read_text())

    assert list(stack) == [
        "url",
        "endpoint",
        "region",
        "userPoolId",
        "userPoolClientId",
        "publicClientId",
        "demoUser",
        "mailbox",
    ]
    assert list(stack["demoUser"]) == ["username", "password"]
    assert len(stack["demoUser"]["password"]) >= 15


def paste(run: Run, command: str, folder: Path) -> str:
    """What a command prints that a person pastes into a shell."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=run.environment | {"no_proxy": "*"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def test_the_printed_commands_work_in_their_order_and_anywhere(run: Run, tmp_path: Path) -> None:
    commands = [line for line in run.printed.splitlines() if line.startswith("curl ")]

    answers = [paste(run, command, tmp_path) for command in commands]

    assert [answer.split()[1] for answer in answers] == ["200", "204", "204"]
    run.wait_for("mailed to demo@example.com: code ")


def test_the_documentation_needs_no_other_host_and_may_call_the_api(run: Run) -> None:
    site = run.site
    assert f"API docs   {site}/docs\n" in run.printed

    def get(path: str) -> BaseHTTPResponse:
        return urllib3.request("GET", site + path, retries=False)

    page = get("/docs")
    parts = [get(path) for path in re.findall('(?:href|src)="(/[^"]+)', page.data.decode())]
    (server,) = get("/openapi.json").json()["servers"]
    url, origin = f"{server['url']}/reset-password", {"Origin": site}
    preflight = urllib3.request("OPTIONS", url, headers=origin)
    answer = urllib3.request("POST", url, headers=origin, json={"username": "nobody@example.com"})

    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    media_types = {part.headers["Content-Type"].partition(";")[0] for part in parts}
    assert media_types == {"text/css", "text/javascript"}
    assert {one.status for one in (page, *parts, answer)} == {200}
    for allowed in (preflight, answer):
        assert allowed.headers["Access-Control-Allow-Origin"] == site
    assert get("/package.json").status == 404


def test_the_welcome_starts_with_the_page(run: Run) -> None:
    introduction = run.printed.partition("started\n\n")[2]
    assert introduction.startswith(f"Page       {run.site}/\n")

    page = urllib3.request("GET", f"{run.site}/", retries=False)

    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_there_is_a_sample_event_for_each_telling_case() -> None:
    samples = {event.stem for event in (ROOT / "events").glob("*.json")}
    assert samples == {*STATUSES, *MESSAGES}


@pytest.mark.parametrize(("name", "status"), STATUSES.items(), ids=STATUSES)
def test_a_sample_event_is_answered_logged_and_counted(run: Run, name: str, status: int) -> None:
    operation = name.partition(".")[0]
    event = json.loads((ROOT / "events" / f"{name}.json").read_text())
    route = next(one for one in Operation if one.id == operation)
    assert (event["httpMethod"], event["path"]) == (route.method, route.path)

    printed = invoke(run, operation, "--event", f"events/{name}.json")

    answer, log, metrics = re.fullmatch(
        r"Answer\n\n(.*)\n\nLog\n(.*)\n\nMetrics\n\n(.*)\n", printed, re.DOTALL
    ).groups()  # type: ignore[union-attr]
    assert answer.split("\n")[0] == str(status)
    line: dict[str, Any] = json.loads(log)
    assert line["operation"] == operation
    assert line["status"] == status
    assert f"{line['outcome']}=1 Count" in metrics


@pytest.mark.parametrize("name", MESSAGES)
def test_a_sample_message_is_carried_out_by_the_worker(run: Run, name: str) -> None:
    printed = invoke(run, "worker", "--event", f"events/{name}.json")

    answer, _, records = printed.removeprefix("Answer\n\n").partition("\n\nLog\n")
    assert json.loads(answer) == {"batchItemFailures": []}
    log, _, metrics = records.partition("\nMetrics\n")
    assert json.loads(log)["task"] == name.removeprefix("worker_")
    assert "Success=1 Count" in metrics


@pytest.mark.parametrize("command", re.findall("^make invoke .*", README, re.MULTILINE))
def test_an_invocation_of_the_readme_is_answered(run: Run, command: str) -> None:
    settings = dict(word.split("=") for word in command.split()[2:])
    event = settings.get("EVENT", f"events/{settings['OPERATION']}.json")

    status = STATUSES.get(Path(event).stem, "{")  # the worker's answer is JSON
    assert paste(run, command, run.clone).startswith(f"Answer\n\n{status}\n")


def test_a_closed_pipe_causes_no_complaint(run: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nowhere:
        result = subprocess.run(
            [".venv/bin/python", "-m", "local", "invoke", "reset_password"],
            cwd=run.clone,
            env=run.environment,
            stdout=nowhere,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=120,
        )

    assert (result.returncode, result.stderr) == (1, "")


def invoke(run: Run, *arguments: str) -> str:
    return subprocess.run(
        [".venv/bin/python", "-m", "local", "invoke", *arguments],
        cwd=run.clone,
        env=run.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


@pytest.mark.parametrize("setting", ["PORT", "WEB_PORT"])
def test_a_port_in_use_is_refused_and_the_run_that_uses_it_is_named(run: Run, setting: str) -> None:
    port = run.ports[setting]

    ports = {"port": 0, "web_port": 0} | {setting.lower(): port}
    with Run(run.clone, ports["port"], ports["web_port"]) as second:
        assert second.process.wait(START_UP) == 1

    assert second.printed == (
        f"Port {port} is in use by another make run (process {run.process.pid}): "
        f"stop it, or choose another port with {setting}=.\n"
    )


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_reaches_cognito_as_it_was_typed(run: Run, password: str) -> None:
    stack = json.loads(run.stack_file.read_text())
    user = {"UserPoolId": stack["userPoolId"], "Username": stack["demoUser"]["username"]}
    cognito = emulator.client(stack["endpoint"], "cognito-idp")
    cognito.admin_set_user_password(**user, Password=password, Permanent=True)

    result = run.make("token", f"PASSWORD={password}")

    assert result.stderr == ""
    assert result.stdout.count(".") == 2


def sign_in(run: Run, username: str) -> BaseHTTPResponse:
    body = json.dumps({"username": username, "password": INVITED})
    headers = {"Content-Type": "application/json", "Origin": run.site}
    url = f"{run.site}/local/sign-in"
    return urllib3.request("POST", url, body=body, headers=headers, retries=False)


def test_the_page_tells_an_invited_user_that_another_step_comes_first(run: Run) -> None:
    stack = json.loads(run.stack_file.read_text())
    emulator.client(stack["endpoint"], "cognito-idp").admin_create_user(
        UserPoolId=stack["userPoolId"],
        Username="invited@example.com",
        TemporaryPassword=INVITED,
        MessageAction="SUPPRESS",
    )

    answer = sign_in(run, "invited@example.com")

    assert answer.status == 403
    assert "NEW_PASSWORD_REQUIRED" in answer.json()["message"]


def test_a_user_name_that_is_no_text_is_a_wrong_one(run: Run) -> None:
    assert sign_in(run, "\ud800").status == 401
    assert "Traceback" not in run.printed


def test_the_cdk_called_directly_is_silent_and_names_the_functions_as_the_documents_do(
    run: Run,
) -> None:
    result = subprocess.run(
        ["node_modules/.bin/cdk", "synth", "--quiet"],
        cwd=run.clone,
        env={k: v for k, v in run.environment.items() if not k.startswith("AWS_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    text = (ROOT / "docs" / "operations.md").read_text()
    invocations = re.findall(r"^sam local invoke -t (\S+) (\w+) -e (\S+)", text, re.MULTILINE)
    assert invocations
    for template, function, event in invocations:
        resources = json.loads((run.clone / template).read_text())["Resources"].values()
        paths = [
            resource["Metadata"]["aws:cdk:path"]
            for resource in resources
            if resource["Type"] == "AWS::Lambda::Function"
        ]
        assert [path for path in paths if path.endswith(f"/{function}/Resource")]
        assert (ROOT / event).exists()


def test_two_runs_of_one_clone_do_not_mix_and_one_that_is_killed_leaves_nothing(run: Run) -> None:
    reset = next(line for line in run.printed.splitlines() if "/reset-password" in line)
    paste(run, reset, run.clone)
    run.wait_for("mailed to demo@example.com: code ")
    code = re.findall("code (.+)\n", run.printed)[-1] + "\n"

    with Run(run.clone) as second:
        second.wait_for("\nready ")
        for each in (run, second):
            assert f"code PORT={each.port})" in each.printed
            assert f"token PASSWORD=second-quiet-harbour-42 PORT={each.port})" in each.printed
        assert run.make("code", f"PORT={run.port}").stdout == code
        assert run.make("code", f"PORT={second.port}").stderr.startswith("No code was mailed")
        assert run.make("code").stderr.startswith("Several local stacks are running: choose one")

        before = second.descendants()
        url = f"{json.loads(second.stack_file.read_text())['url']}/reset-password"
        urllib3.request("POST", url, json={"username": "nobody@example.com"}, retries=False)
        started = second.descendants()
        assert started - before, "the emulator has started no worker"
        second.stop(signal.SIGKILL)
        wait_for_the_end(started)

    with Run(run.clone, second.port) as third:
        third.wait_for("synthesizing")
    assert (
        f"an earlier make run (process {second.process.pid}) was killed: "
        f"removed its folder .local/runs/{second.port}\n"
    ) in third.printed
    assert run.make("code").stdout == code


def test_a_corrupt_stack_file_ends_in_a_sentence(run: Run) -> None:
    kept = run.stack_file.read_text()
    for text in ("", "{", "[]", '{"endpoint": 5}', "\0", kept.replace("us-east-1", " ", 1)[:-9]):
        run.stack_file.write_text(text)
        result = run.make("code", f"PORT={run.port}")
        assert result.stderr.startswith("No local stack is running"), result.stderr
    run.stack_file.write_text("{")  # The run below has to stop with it.


def test_destroying_needs_no_terminal_with_approval_given(run: Run) -> None:
    """Run it against the emulator, which the standard AWS variables point to."""
    endpoint = f"http://127.0.0.1:{run.port}"
    settings = emulator.environment(endpoint) | run.environment
    settings |= {"AWS_ENDPOINT_URL": endpoint, "no_proxy": "*"}
    del settings["AWS_PROFILE"]
    synthesized = run.stack_file.with_name("cdk.out")  # once more would take seconds

    def destroy(*approval: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-s", "destroy", "STAGE=local", f"CONTEXT=--app {synthesized}"]
        return subprocess.run(
            [*command, *approval],
            cwd=run.clone,
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    refused = destroy()
    assert refused.returncode != 0
    assert refused.stderr.startswith("There is no terminal to ask for your approval")
    assert "APPROVE=never" in refused.stderr.splitlines()[0]
    approved = destroy("APPROVE=never")
    assert approved.returncode == 0, approved.stderr
    # Where CI is set, the CDK prints to stdout instead.
    assert "password-service-local: destroyed" in approved.stdout + approved.stderr


def test_sigterm_leaves_nothing(run: Run) -> None:
    started = run.descendants()
    assert started

    assert run.stop(signal.SIGTERM) == 0

    assert alive(started) == set()
    assert left(run.clone) == []


def test_make_clean_removes_what_was_installed_or_built(run: Run) -> None:
    subprocess.run(["make", "clean"], cwd=run.clone, check=True, capture_output=True)

    installed = (".venv", ".local", ".build", "node_modules", "cdk.out")
    assert [name for name in installed if (run.clone / name).exists()] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_leaves_nothing(tmp_path: Path, number: int) -> None:
    with Run(clone(tmp_path / "clone")) as run:
        run.wait_for("synthesizing")
        time.sleep(1.5)
        started = run.descendants()
        assert started

        assert run.stop(number) == 130

    assert alive(started) == set()
    assert left(run.clone) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("invoke", "sign_up"), "Say which operation: OPERATION="),
        (("invoke", "reset_password", "--event", "none.json"), "The event none.json cannot be"),
        (("invoke", "reset_password", "--event", "Makefile"), "The event Makefile is not valid"),
        (("invoke", "reset_password", "--event", "package.json"), "The event package.json has no"),
        (("invoke", "reset_password", "--event", "list.json"), "The event list.json has no object"),
        (("invoke", "worker", "--event", "list.json"), "The event list.json has no list Records"),
        (("invoke", "reset_password", "--port", "1"), "No local stack is running on port 1"),
        (("code",), "No local stack is running"),
        (("token",), "No local stack is running"),
        (("run", "--port", "http"), "PORT must be a number from 1 to 65535"),
        (("run", "--web-port", "0"), "WEB_PORT must be a number from 1 to 65535"),
    ],
)
def test_a_mistake_gets_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    folder = clone(tmp_path / "clone")
    (folder / "list.json").write_text("[]")
    result = subprocess.run(
        [".venv/bin/python", "-m", "local", *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1
