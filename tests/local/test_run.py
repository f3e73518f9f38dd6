"""`make run` and `make invoke`, as a person uses them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import urllib3
from urllib3 import BaseHTTPResponse

from functions.operations import Operation
from local import emulator
from local.processes import ROOT

START_UP = 120.0
"""Seconds; a warm start takes about ten of them."""
STOP = 20.0

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
}
"""What each sample event is answered with."""


class Run:
    """`python -m local run` in a folder of its own."""

    def __init__(self, folder: Path, port: int, web_port: int) -> None:
        self.ports = {"PORT": port, "WEB_PORT": web_port}
        self.site = f"http://127.0.0.1:{web_port}"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.stack_file = folder / "stack.json"
        # Not that of the make that runs the tests, which would have another one say more.
        own = {name: value for name, value in os.environ.items() if "MAKE" not in name}
        self.environment = own | {
            # What a user might have set, and what must not matter.
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AWS_PROFILE": "a-profile-that-is-not-there",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "STACK_FILE": str(self.stack_file),
            "TMPDIR": str(self.temporary),
        }
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "local", "run"),
                    *("--port", str(port), "--web-port", str(web_port)),
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_UP
        while text not in self.printed:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.1)

    def descendants(self) -> set[int]:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        rows = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()]
        found = {self.process.pid}
        while more := {pid for pid, parent in rows if parent in found} - found:
            found |= more
        return found - {self.process.pid}

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP)


def alive(pids: set[int]) -> set[int]:
    found = set()
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        found.add(pid)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A stack that is ready; one of the last tests here stops it."""
    ports = emulator.free_port(), emulator.free_port()
    with Run(tmp_path_factory.mktemp("run"), *ports) as run:
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
        timeout=60,
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


def test_the_page_stands_first(run: Run) -> None:
    introduction = run.printed.partition("started\n\n")[2]
    assert introduction.startswith(f"Page       {run.site}/\n")

    page = urllib3.request("GET", f"{run.site}/", retries=False)

    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_there_is_a_sample_event_for_each_telling_case() -> None:
    assert {event.stem for event in (ROOT / "events").glob("*.json")} == set(STATUSES)


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


@pytest.mark.parametrize("command", re.findall("^make invoke .*", README, re.MULTILINE))
def test_an_invocation_of_the_readme_is_answered(run: Run, command: str) -> None:
    settings = dict(word.split("=") for word in command.split()[2:])
    event = settings.get("EVENT", f"events/{settings['OPERATION']}.json")

    assert paste(run, command, ROOT).startswith(f"Answer\n\n{STATUSES[Path(event).stem]}\n")


def test_who_stops_reading_gets_no_complaint(run: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nowhere:
        result = subprocess.run(
            [sys.executable, "-m", "local", "invoke", "reset_password"],
            cwd=ROOT,
            env=run.environment,
            stdout=nowhere,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert (result.returncode, result.stderr) == (1, "")


def invoke(run: Run, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "local", "invoke", *arguments],
        cwd=ROOT,
        env=run.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize("setting", ["PORT", "WEB_PORT"])
def test_a_second_run_on_the_same_port_is_refused(run: Run, tmp_path: Path, setting: str) -> None:
    port = run.ports[setting]
    free = {"PORT": emulator.free_port(), "WEB_PORT": emulator.free_port()}

    with Run(tmp_path, *(free | {setting: port}).values()) as second:
        assert second.process.wait(START_UP) == 1

    assert second.printed == f"Port {port} is in use: choose another with {setting}=.\n"
    assert list(second.temporary.iterdir()) == []


def test_sigterm_leaves_nothing(run: Run) -> None:
    started = run.descendants()
    assert started

    assert run.stop(signal.SIGTERM) == 0

    assert alive(started) == set()
    assert list(run.temporary.iterdir()) == []
    assert not run.stack_file.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_leaves_nothing(tmp_path: Path, number: int) -> None:
    with Run(tmp_path, emulator.free_port(), emulator.free_port()) as run:
        run.wait_for("synthesizing")
        time.sleep(1.5)
        started = run.descendants()
        assert started

        assert run.stop(number) == 130

    assert alive(started) == set()
    assert list(run.temporary.iterdir()) == []
    assert not run.stack_file.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("invoke", "sign_up"), "Say which operation: OPERATION="),
        (("invoke", "reset_password", "--event", "none.json"), "The event none.json cannot be"),
        (("invoke", "reset_password", "--event", "Makefile"), "The event Makefile is not valid"),
        (("code",), "No local stack is running"),
        (("token",), "No local stack is running"),
        (("run", "--port", "http"), "PORT must be a number from 1 to 65535"),
        (("run", "--web-port", "0"), "WEB_PORT must be a number from 1 to 65535"),
    ],
)
def test_a_mistake_gets_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env=os.environ | {"STACK_FILE": str(tmp_path / "none.json")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1
