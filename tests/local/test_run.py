"""`make run` and `make invoke`, as a person uses them. However a run ends, nothing is left."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from local import emulator
from tests.local.clone import (
    Run,
    check_nothing_is_left,
    clone,
    environment,
    execute,
    leader,
    members,
)
from tests.support import PATIENCE, ROOT, wait_until

README = (ROOT / "README.md").read_text()
STATUSES = {
    **dict.fromkeys(("reset_password", "reset_password.unknown_user", "password_policy"), 200),
    **dict.fromkeys(("confirm_reset_password", "update_password"), 204),
    "reset_password.empty_username": 400,
    "reset_password.wrong_content_type": 415,
    "confirm_reset_password.wrong_code": 400,
    "confirm_reset_password.weak_password": 400,
    "confirm_reset_password.several_fields": 400,
    "update_password.wrong_old_password": 403,
    "update_password.dead_token": 401,
}
"""The status of the answer to each sample event of an operation."""
WRITTEN = "https://app.example.com"
"""The origin in `cdk.json`, instead of the stage's own."""
CHOSEN = "http://localhost:5199"
"""The value of ORIGIN."""
SAMPLES = sorted(event.stem for event in (ROOT / "events").glob("[!w]*.json"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone for starts that end before the stack is deployed."""
    return clone(tmp_path_factory.mktemp("starts") / "clone")


def test_what_stays_if_all_is_killed_is_named_and_removed_at_the_next_start(folder: Path) -> None:
    with Run(folder) as run:
        group = leader(run.folder)
        os.kill(group, signal.SIGKILL)
        run.stop(signal.SIGKILL)
        assert members(group)
    # A process that has got the ID of a dead one, and a list that cannot be read.
    with subprocess.Popen(["sleep", f"{PATIENCE}"], process_group=0) as stranger:
        for number, text in enumerate((f"{stranger.pid} 1\n" * 2, "nonsense\n"), 1):
            (run.folder.parent / str(number)).mkdir()
            (run.folder.parent / str(number) / "processes").write_text(text)
        with Run(folder, run.port) as second:
            second.wait_for("synthesizing")
            wait_until(lambda: not members(group))
            assert stranger.poll() is None
            stranger.kill()
            group = leader(second.folder)
            assert second.stop(signal.SIGTERM) == 130

    check_nothing_is_left(folder, group)
    folders = ".local/runs/"
    said = [line.partition("earlier make run ")[2] for line in second.printed.splitlines()]
    assert f"(process {stranger.pid}) was killed: removed its folder {folders}1" in said
    assert f"left no readable list of its processes: removed its folder {folders}2" in said
    killed = f"(process {run.process.pid}) was killed: stopped its processes "
    (line,) = (line for line in said if line.startswith(killed))
    assert line.endswith(f" and removed its folder {folders}{run.port}")


@pytest.mark.parametrize("end", [lambda fd: os.write(fd, b"\x03"), os.close], ids=["^C", "closed"])
def test_ctrl_c_and_closing_the_terminal_end_a_start(
    folder: Path, end: Callable[[int], object]
) -> None:
    port = emulator.free_port()
    ours, theirs = pty.openpty()
    # As sshd does, setsid makes make the leader of the session, with the terminal.
    command = ["setsid", "--ctty", "make", "run", f"PORT={port}"]
    with subprocess.Popen(
        [*command, f"WEB_PORT={emulator.free_port()}"],
        cwd=folder,
        env=environment(folder),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as make:
        os.close(theirs)
        group = leader(folder / ".local" / "runs" / str(port))
        end(ours)
        make.wait(PATIENCE)
    check_nothing_is_left(folder, group)


def test_a_run_ends_with_the_make_that_started_it(folder: Path) -> None:
    with Run(folder, make=True) as run:
        group = leader(run.folder)
        run.stop(signal.SIGKILL)
    check_nothing_is_left(folder, group)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("invoke sign_up", "Say which operation: OPERATION="),
        ("invoke reset_password --event none.json", "The event none.json cannot be read"),
        ("invoke worker --event package.json", "The event package.json has no list Records"),
        ("invoke reset_password --port 1", "No local stack is running on port 1"),
        ("code", "No local stack is running"),
        ("run --web-port 0", "WEB_PORT must be a number from 1 to 65535"),
        ("run --origin http://localhost:5173/", "ORIGIN must be like http://localhost:5173"),
    ],
)
def test_a_mistake_gets_one_sentence(folder: Path, arguments: str, sentence: str) -> None:
    result = execute(folder, ".venv/bin/python", "-m", "local", *arguments.split())

    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A stack that is ready; one of the last tests here stops it."""
    copy = clone(tmp_path_factory.mktemp("run") / "clone")
    file = copy / "cdk.json"
    settings = json.loads(file.read_text())
    # A firewall, an imported pool and a domain are for other stages.
    settings["context"] |= {"allowedOrigins": WRITTEN, "mailName": "Zenith", "firewall": "count"}
    settings["context"] |= {"userPoolId": "eu-west-1_AbCdEfGhI", "userPoolClientId": "a-client"}
    file.write_text(json.dumps(settings))
    with Run(copy, origin=CHOSEN) as run:
        run.wait_until_ready()
        yield run


def send(method: str, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
    return urllib3.request(method, url, retries=False, timeout=PATIENCE, **more)


def paste(run: Run, command: str, folder: str) -> str:
    """Return what a command prints that a person pastes into a shell."""
    result = execute(run.clone, "sh", "-c", f"export no_proxy='*'; cd {folder}; {command}")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_says_what_it_does_and_prints_commands_that_work_in_any_folder(run: Run) -> None:
    stack = json.loads((run.folder / "stack.json").read_text())
    commands = [line for line in run.printed.splitlines() if line.startswith("curl ")]
    assert run.printed.splitlines()[-1] == f"ready {stack['url']}"
    for step in ("starting the emulator", "synthesizing", "deploying", f"Page       {run.site}/\n"):
        assert step in run.printed
    assert "!!" not in (run.folder / "cdk-synth.log").read_text()  # a warning of jsii

    answers = [paste(run, command, "/") for command in commands]

    assert [answer.split()[1] for answer in answers] == ["200", "204", "204"]
    run.wait_for("mailed to demo@example.com: code ")


def test_the_site_and_the_chosen_origins_may_call_the_api_and_no_other_may(run: Run) -> None:
    docs, document = (send("GET", run.site + path) for path in ("/docs", "/openapi.json"))
    url = f"{document.json()['servers'][0]['url']}/reset-password"

    assert docs.status == 200
    for origin in (run.site, f"http://localhost:{run.web_port}", WRITTEN, CHOSEN):
        sent = {"Origin": origin}
        preflight = send("OPTIONS", url, headers=sent)
        answer = send("POST", url, headers=sent, json={"username": "nobody@example.com"})
        assert answer.status == 200
        for allowed in (preflight, answer):
            assert allowed.headers["Access-Control-Allow-Origin"] == origin
    for method in ("OPTIONS", "GET"):
        policy = url.replace("reset-password", "password-policy")
        foreign = send(method, policy, headers={"Origin": "http://localhost:3000"})
        assert foreign.headers.get("Access-Control-Allow-Origin") != "http://localhost:3000"
    assert send("GET", f"{run.site}/config.json").json()["name"] == "Zenith"


@pytest.mark.parametrize("name", [*SAMPLES, "worker_send_code", "custom_message"])
def test_a_sample_event_is_answered_logged_and_counted(run: Run, name: str) -> None:
    event, operation = f"events/{name}.json", re.sub("[.].*|_send_code", "", name)
    commands = re.findall("^make invoke .*", README, re.MULTILINE)
    named = [one for one in commands if one.endswith((f"OPERATION={name}", f"EVENT={event}"))]

    command = (*named, f".venv/bin/python -m local invoke {operation} --event {event}")[0]
    printed = paste(run, command, ".")

    answer, log, metrics = re.split("\n\nLog\n|\nMetrics\n\n", printed)
    status = str(STATUSES.get(name, "{"))  # the worker's answer is JSON
    assert answer.startswith(f"Answer\n\n{status}\n")
    assert json.loads(log)["operation"] == operation
    assert f"{json.loads(log).get('outcome', 'Success')}=1 Count" in metrics


def test_support_sends_a_code_on_this_machine_too(run: Run) -> None:
    asked = ("TASK=send_code", "USERNAME=eve@example.com", "STAGE=local", f"PORT={run.port}")
    result = execute(run.clone, "make", "-s", "support", *asked)

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Queued send_code for eve@example.com, as request ")


@pytest.mark.parametrize("setting", ["PORT", "WEB_PORT"])
def test_a_port_in_use_is_refused_and_the_run_that_uses_it_is_named(run: Run, setting: str) -> None:
    port, web_port = (run.port, 0) if setting == "PORT" else (0, run.web_port)
    with Run(run.clone, port, web_port) as second:
        assert second.process.wait(PATIENCE) == 1

    assert second.printed == (
        f"Port {port or web_port} is in use by another make run (process {run.process.pid}): "
        f"stop it, or choose another port with {setting}=.\n"
    )


def test_two_runs_of_one_clone_do_not_mix_and_one_that_is_killed_leaves_nothing(run: Run) -> None:
    def code(*port: str) -> str:
        result = execute(run.clone, "make", "-s", "code", *port)
        return result.stdout + result.stderr

    paste(run, next(line for line in run.printed.splitlines() if "/reset-password" in line), ".")
    wait_until(lambda: re.fullmatch(r"\d{6}\n", code()))
    mailed = code()
    with Run(run.clone) as second:
        second.wait_until_ready()
        for each in (run, second):
            assert f"code PORT={each.port})" in each.printed
            assert f"token PASSWORD=second-quiet-harbour-42 PORT={each.port})" in each.printed
        assert code(f"PORT={run.port}") == mailed
        assert code(f"PORT={second.port}").startswith("No code was mailed")
        assert code().startswith("Several local stacks are running: choose one with PORT=")
        group = leader(second.folder)
        before = members(group)
        url = f"{json.loads((second.folder / 'stack.json').read_text())['url']}/reset-password"
        send("POST", url, json={"username": "nobody@example.com"})
        assert members(group) - before, "the emulator has started no worker"
        second.stop(signal.SIGKILL)
        wait_until(lambda: not members(group))

    (run.folder / "stack.json").write_text('{"endpoint": 5}')  # The run has to stop with it.
    assert code(f"PORT={run.port}").startswith("No local stack is running")
    group = leader(run.folder)
    assert run.stop(signal.SIGINT) == 0
    for port in (second.port, second.web_port):  # as the next start would
        shutil.rmtree(second.folder.with_name(str(port)))
    check_nothing_is_left(run.clone, group)
    assert execute(run.clone, "make", "clean").returncode == 0
    installed = {".venv", ".local", ".build", "node_modules"}
    assert not installed & {one.name for one in run.clone.iterdir()}
