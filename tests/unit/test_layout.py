"""Imports run one way, and importing a module does nothing but define names."""

import ast
import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from functions import start
from functions.operations import FUNCTIONS, WORKER, Operation
from tests.support import ROOT
from tests.support.contract import ids
from tests.support.front import CognitoFront
from tests.support.invocation import SETTINGS, Context, call, make_event

PACKAGES = {
    "app": {"infra", "local"},
    "functions": {"functions"},
    "infra": {"functions", "infra"},
    "apidocs": {"apidocs", "functions", "infra"},
    "local": {"functions", "infra", "local"},
    "verification": {"functions", "infra", "local", "verification"},
    "benchmarks": {"benchmarks", "functions", "infra", "local", "tests.support", "verification"},
    "examples": set[str](),
    "release": {"infra", "release"},
    "tests.support": {"apidocs", "functions", "infra", "local", "tests.support"},
}
"""What each package may import of the others. The rest of `tests` may import everything."""

LAYERS = ("vocabulary", "telemetry", "aws", "protection", "api", "operations", "start")
"""The parts of `functions`, from the bottom up. Each may import itself and those before it."""


def ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in {*PACKAGES, "tests"}


def imports(file: Path) -> set[str]:
    """The modules of ours that a file imports, also where only a type checker would."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if is_module(name)} or {node.module}
    return {module for module in found if ours(module)}


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def package(module: str) -> str:
    """The package of the table that a module belongs to."""
    first, _, rest = module.partition(".")
    return "tests.support" if first == "tests" and rest.split(".")[0] == "support" else first


def sources() -> Iterator[tuple[str, Path]]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if "rivals" not in name and (ROOT / name).exists():
            yield name.removesuffix(".py").replace("/", "."), ROOT / name


def layer(module: str) -> str:
    """The part of `functions` that a module belongs to."""
    part = module.split(".")[1] if "." in module else "vocabulary"
    if part in LAYERS[1:5] or part == "start":
        return part
    return "operations" if part in FUNCTIONS else "vocabulary"


def test_no_package_imports_another_that_it_must_not_know() -> None:
    wrong = {
        f"{module} imports {imported}"
        for module, file in sources()
        if package(module) in PACKAGES
        for imported in imports(file)
        if package(imported) not in PACKAGES[package(module)]
    }

    assert wrong == set()


def test_no_part_of_the_functions_imports_one_above_it() -> None:
    wrong = {
        f"{module} imports {imported}"
        for module, file in sources()
        if package(module) == "functions"
        for imported in imports(file)
        if LAYERS.index(layer(imported)) > LAYERS.index(layer(module))
        # A type of a module above, for the type checker alone.
        and (module, imported) != ("functions.fields", "functions.requests")
    }

    assert wrong == set()


def test_no_operation_imports_another() -> None:
    folders = {operation.id for operation in Operation}
    wrong = {
        f"{module} imports {imported}"
        for module, file in sources()
        if module.startswith("functions.") and module.split(".")[1] in folders
        for imported in imports(file)
        if imported.split(".")[1] in folders - {module.split(".")[1]}
    }

    assert wrong == set()


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


@pytest.mark.parametrize(
    "top", ["functions", "infra", "apidocs", "local", "benchmarks", "tests.support", "verification"]
)
def test_importing_every_module_changes_nothing_and_needs_nothing(top: str, tmp_path: Path) -> None:
    modules = [
        module.removesuffix(".__init__")
        for module, _ in sources()
        # The runtime starts the probe instead of a handler, whose name it needs.
        if package(module) == top and not module.endswith(("__main__", ".probe"))
    ]
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
    vocabulary = [m for m, _ in sources() if m.count(".") == 1 and m.startswith("functions.")]
    code = f"import sys; sys.path.append('.'); import {', '.join(set(vocabulary) - {STARTER})}"

    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True)


STARTER = "functions.start"


@pytest.mark.parametrize("operation", Operation, ids=ids)
def test_a_start_returns_a_handler_that_is_ready(
    operation: Operation, cognito: CognitoFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.replace(user_pool_id=f"us-east-1_{operation.id}")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    # The start imports a module of its own, which the other tests do not see.
    import_module(f"functions.{operation.id}.handler")
    monkeypatch.delitem(sys.modules, f"functions.{operation.id}.handler")

    handler = getattr(start, operation.id)

    read = {request.action for request in cognito.requests}
    actions = operation.actions(revealed=False)
    assert read == {action for action in actions if action.startswith("Describe")}
    assert gc.isenabled()
    assert call(handler, make_event(operation, "{", {"Idempotency-Key": "k" * 256})).status == 400


def test_a_function_that_is_no_operation_cannot_be_started() -> None:
    with pytest.raises(AttributeError, match="no_such_operation"):
        _ = start.no_such_operation


def test_a_start_of_the_worker_reads_the_secret_and_sends_a_code(
    cognito: CognitoFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.replace(user_pool_id="us-east-1_worker").environment().items():
        monkeypatch.setenv(name, value)
    import_module("functions.worker.handler")
    monkeypatch.delitem(sys.modules, "functions.worker.handler")

    handler = getattr(start, WORKER)

    assert [request.action for request in cognito.requests] == ["DescribeUserPoolClient"]
    event = json.loads((ROOT / "events/worker_send_code.json").read_text())
    assert handler(event, Context()) == {"batchItemFailures": []}
    assert cognito.requests[-1].action == "ForgotPassword"


def test_a_start_gives_up_before_lambda_does(
    cognito: CognitoFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt takes two seconds, and none begins when three have passed."""
    for name, value in SETTINGS.replace(user_pool_id="us-east-1_slow").environment().items():
        monkeypatch.setenv(name, value)
    import_module("functions.worker.handler")
    monkeypatch.delitem(sys.modules, "functions.worker.handler")
    cognito.answer("DescribeUserPoolClient", delay=10)

    _ = getattr(start, WORKER)

    assert len(cognito.requests) == 2
