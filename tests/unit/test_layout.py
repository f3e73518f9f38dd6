"""Importing a module does nothing but define names, and a start prepares a handler."""

import gc
import json
import os
import subprocess
import sys
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from functions.aws.actions import of_operation
from functions.operations import CUSTOM_MESSAGE, WORKER, Operation, handler_name
from tests.support import ROOT
from tests.support.contract import ids
from tests.support.front import Refusal
from tests.support.invocation import SETTINGS, Context, call, make_event
from tests.unit.conftest import Service


def modules_of(top: str) -> list[str]:
    """All but those that Lambda loads, which start a function."""
    files = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / top).rglob("*.py"))
    modules = [".".join(path.parts).removesuffix(".__init__") for path in files]
    return [module for module in modules if not module.endswith(".lambda_function")]


IMPORT_ALL = """
import gc, json, os, socket, sys
def refuse(*_):
    raise AssertionError("an import used the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
sys.path.append(".")
before = dict(os.environ), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
from importlib import import_module
for name in json.loads(sys.argv[1]):
    import_module(name)
assert before == (dict(os.environ), gc.isenabled(), gc.get_threshold(), gc.get_freeze_count())
"""


@pytest.mark.parametrize("top", ["functions", "infra"])
def test_importing_every_module_changes_nothing_and_needs_nothing(top: str, tmp_path: Path) -> None:
    modules = modules_of(top)
    # The CDK's own import starts Node, which needs to be found, and would write into HOME.
    variables = {name: os.environ[name] for name in ("JSII_NODE", "PATH")} | {"HOME": str(tmp_path)}

    imported = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(modules)],
        cwd=ROOT,
        env=variables if top == "infra" else {},
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(modules) > 3
    assert imported.returncode == 0, imported.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_vocabulary_needs_the_standard_library_alone() -> None:
    vocabulary = [one for one in modules_of("functions") if one.count(".") == 1]
    code = f"import sys; sys.path.append('.'); import {', '.join(set(vocabulary) - {STARTER})}"

    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True)


STARTER = "functions.start"
_pools = count(1)


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a function as Lambda does, and return its handler."""
    settings = SETTINGS.replace(user_pool_id=f"us-east-1_Start{next(_pools):04}")
    for variable, value in settings.environment().items():
        monkeypatch.setenv(variable, value)
    module, _, handler = handler_name(name).rpartition(".")
    monkeypatch.delitem(sys.modules, module, raising=False)
    return getattr(import_module(module), handler)


@pytest.mark.parametrize("operation", Operation, ids=ids)
def test_a_start_returns_a_handler_that_is_ready(
    operation: Operation, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    handler = load(operation.id, monkeypatch)

    read = {request.action for request in service.cognito.requests}
    actions = {one.name for one in of_operation(operation, SETTINGS)}
    assert read == {action for action in actions if action.startswith("Describe")}
    assert gc.isenabled()
    assert call(handler, make_event(operation, "{")).status == (400 if operation.has_body else 200)


def test_a_start_of_the_worker_reads_the_secret_and_sends_a_code(
    monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    handler = load(WORKER, monkeypatch)

    assert [request.action for request in service.cognito.requests] == ["DescribeUserPoolClient"]
    event = json.loads((ROOT / "events/worker_send_code.json").read_text())
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert service.cognito.requests[-1].action == "ForgotPassword"


def test_a_start_of_the_trigger_needs_nothing_of_aws(
    monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    event = json.loads((ROOT / "events/custom_message.json").read_text())
    message = load(CUSTOM_MESSAGE, monkeypatch)(event, Context())["response"]

    assert "{####}" in message["emailMessage"]
    assert service.cognito.requests == []


def test_a_start_gives_up_before_lambda_does(service: Service) -> None:
    """Each attempt takes two seconds, and none begins when three have passed."""

    def respond(*_: object) -> dict[str, Any]:
        service.clock.sleep(2.0)
        raise Refusal("TooManyRequestsException", "")

    service.cognito.respond = respond

    service.deployment.worker.start()

    assert len(service.cognito.requests) == 2
