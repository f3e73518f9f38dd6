"""One declaration drives everything: an operation is not done until all of this holds."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apidocs.checklist import find_missing
from functions.operations import FUNCTIONS, Operation
from tests.support import ROOT
from tests.support.contract import ids

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)


@each_operation
def test_an_operation_has_all_that_the_checklist_asks_for(operation: Operation) -> None:
    assert list(find_missing(operation, ROOT)) == []


def test_each_folder_with_a_handler_is_an_operation() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    extra = folders - set(FUNCTIONS)

    assert not extra, f"Add a row to functions/operations.py for {extra}."


def test_no_two_operations_share_a_route() -> None:
    assert len({(operation.method, operation.path) for operation in Operation}) == len(Operation)


NEW = "confirm_sign_up"
ROW = """
    CONFIRM_SIGN_UP = Facts(
        method="POST",
        path="/confirm-sign-up",
        action="ConfirmSignUp",
        log_message="sign-up confirmation requested",
        uses_client_secret=True,
        changes_password=False,
        repeatable=False,
        signed_in=False,
        attempts_per_hour=5,
        requests_per_second=1,
        success=Success(status=204, description="The account is confirmed."),
    )

    __hash__ ="""
PROBLEMS = """
ALIAS_EXISTS = Problem(
    "alias-exists",
    "AliasExistsException",
    409,
    "Address in use",
    "Another account already uses this address.",
    "Sign in to that account instead, or use another address.",
)
SIGN_UP_USERNAME_MISSING = Problem(
    "sign-up-username-missing",
    "EmptyConfirmSignUpUsername",
    400,
    "Username missing",
    "A username is required to confirm a sign-up.",
    "Enter your username, then try again.",
)
SIGN_UP_CODE_MISSING = Problem(
    "sign-up-code-missing",
    "EmptyConfirmSignUpCode",
    400,
    "Confirmation code missing",
    "A confirmation code is required to confirm a sign-up.",
    "Enter the code that you received, then try again.",
)

PROBLEMS: Final ="""
HANDLER = '''"""Confirm a new account with the code that was sent."""

from functions.api.endpoint import endpoint
from functions.aws import cognito
from functions.fields import ConfirmationCode, Username
from functions.operations import FUNCTIONS, Operation
from functions.problems import CODE_REFUSED, SIGN_UP_CODE_MISSING, SIGN_UP_USERNAME_MISSING
from functions.protection import limits
from functions.requests import Request


class ConfirmSignUp(Request):
    """Amplify's `ConfirmSignUpInput`."""

    operation = Operation.CONFIRM_SIGN_UP
    username = Username(empty=SIGN_UP_USERNAME_MISSING)
    confirmation_code = ConfirmationCode(empty=SIGN_UP_CODE_MISSING)


@endpoint(ConfirmSignUp, hidden_answer=CODE_REFUSED)
def handler(request: ConfirmSignUp) -> None:
    """Count the attempt, and let Cognito check the code."""
    with limits.attempt(request):
        cognito.call_as_client(
            request.settings,
            request.operation.action,
            request.username,
            request.caller.source_ip,
            ConfirmationCode=request.confirmation_code,
        )
'''
TESTS = """from functions.operations import Operation
from tests.unit.conftest import Invoke


def test_confirms_an_account(invoke: Invoke) -> None:
    assert invoke(Operation.CONFIRM_SIGN_UP).status == 204
"""


def write_event(path: Path, username: str) -> None:
    event = json.loads((ROOT / "events/confirm_reset_password.json").read_text())
    body = {"username": username, "confirmationCode": "{{code}}"}
    route = {"path": "/confirm-sign-up", "resource": "/confirm-sign-up"}
    path.write_text(json.dumps(event | route | {"body": json.dumps(body)}))


def insert(file: Path, before: str, text: str) -> None:
    assert file.read_text().count(before) == 1
    file.write_text(file.read_text().replace(before, text))


def add_operation(root: Path) -> None:
    """Follow the list in CONTRIBUTING.md."""
    insert(root / "functions/operations.py", "\n    __hash__ =", ROW)
    insert(root / "functions/problems.py", "\nPROBLEMS: Final =", PROBLEMS)
    known = "            ATTEMPTS_EXCEEDED,\n"
    insert(root / "functions/problems.py", known, f"            ALIAS_EXISTS,\n{known}")
    folder = root / "functions" / NEW
    folder.mkdir()
    (folder / "__init__.py").write_text('"""The operation `confirm_sign_up`."""\n')
    (folder / "handler.py").write_text(HANDLER)
    write_event(root / f"events/{NEW}.json", "demo@example.com")
    write_event(root / f"events/{NEW}.unknown_user.json", "nobody@example.com")
    (root / f"tests/unit/test_{NEW}.py").write_text(TESTS)
    with (root / "README.md").open("a") as readme:
        readme.write("\n### Confirm a sign-up: `POST /confirm-sign-up`\n")


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of a copy of the tree."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root,
        env={name: os.environ[name] for name in ("JSII_NODE", "PATH")}
        | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with a fourth operation."""
    root = tmp_path_factory.mktemp("grown") / "tree"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in files.splitlines():
        if (ROOT / file).is_file():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, root / file)
    for shared in ("node_modules", ".build"):
        if (ROOT / shared).exists():
            (root / shared).symlink_to(ROOT / shared)
    add_operation(root)
    return root


def test_an_operation_that_follows_the_list_is_complete(grown: Path) -> None:
    """The document, the pages, the contract and the template come out right by themselves."""
    written = run(grown, "apidocs")
    tested = run(
        grown,
        *("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"),
        *("-k", f"({NEW} or test_openapi) and not [local and not [dev"),
        "tests/unit/test_operations.py::test_an_operation_has_all_that_the_checklist_asks_for",
        "tests/unit/test_openapi.py",
        *(f"tests/unit/test_{NEW}.py", "tests/unit/test_problems.py", "tests/unit/test_secrets.py"),
        *(
            "tests/unit/test_requests.py",
            "tests/unit/test_endpoint.py",
            "tests/infra/test_stack.py",
        ),
    )

    assert written.returncode == 0, written.stderr
    document = json.loads((grown / "openapi.json").read_text())
    operation = document["paths"]["/confirm-sign-up"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ConfirmSignUpInput"
    }
    assert (
        "alias-exists"
        in operation["responses"]["409"]["content"]["application/problem+json"]["examples"]
    )
    assert "`alias-exists`" in (grown / "docs/problems.md").read_text()
    assert "`confirm_sign_up`" in (grown / "docs/reference.md").read_text()
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        (
            "functions/confirm_sign_up/__init__.py",
            "functions/confirm_sign_up/__init__.py is missing",
        ),
        ("functions/confirm_sign_up/handler.py", "functions/confirm_sign_up/handler.py is missing"),
        ("events/confirm_sign_up.json", "events/confirm_sign_up.json is missing"),
        ("events/confirm_sign_up.unknown_user.json", "events/confirm_sign_up.*.json is missing"),
        ("tests/unit/test_confirm_sign_up.py", "tests/unit/test_confirm_sign_up.py is missing"),
        ("README.md", "README.md must have a section about `POST /confirm-sign-up`"),
    ],
)
def test_a_sentence_says_which_item_of_the_list_is_missing(
    left_out: str, sentence: str, grown: Path
) -> None:
    kept = (grown / left_out).read_text()
    if left_out == "README.md":
        (grown / left_out).write_text((ROOT / left_out).read_text())
    else:
        (grown / left_out).unlink()

    written = run(grown, "apidocs")

    (grown / left_out).write_text(kept)
    assert written.returncode == 1
    assert written.stderr.startswith(sentence), written.stderr


@pytest.mark.parametrize(
    ("file", "line", "command", "sentence"),
    [
        (
            "functions/problems.py",
            "            ALIAS_EXISTS,\n",
            ["apidocs"],
            "ConfirmSignUp can fail with AliasExistsException: add a problem to functions/problems",
        ),
        (
            "functions/problems.py",
            "SIGN_UP_CODE_MISSING = Problem",
            ["apidocs"],
            "handler.py cannot be imported: cannot import name 'SIGN_UP_CODE_MISSING'",
        ),
        (
            "functions/operations.py",
            ROW.removesuffix("\n    __hash__ ="),
            ["pytest", "-q", "tests/unit/test_operations.py", "-k", "each_folder"],
            "Add a row to functions/operations.py for {'confirm_sign_up'}",
        ),
    ],
    ids=["mapping", "problems", "row"],
)
def test_a_sentence_says_what_is_missing_in_a_table(
    file: str, line: str, command: list[str], sentence: str, grown: Path
) -> None:
    kept = (grown / file).read_text()
    (grown / file).write_text(
        kept.replace(line, "OTHER = Problem" if line.endswith("Problem") else "")
    )

    done = run(grown, *command)

    (grown / file).write_text(kept)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
