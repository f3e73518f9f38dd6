"""Anyone who follows the lists of CONTRIBUTING is done, because what would fail passes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support import ROOT

OPERATION: Final = """    CONFIRM_SIGN_UP = Facts(
        method="POST",
        path="/confirm-sign-up",
        action="ConfirmSignUp",
        log_message="sign-up confirmation requested",
        uses_client_secret=True,
        attempts_per_hour=5,
        requests_per_second=200,
        success="The account is confirmed.",
        status=204,
    )

"""
HANDLER: Final = '''"""Confirm a new account with the code that was sent."""

from functions.api.endpoint import Endpoint
from functions.fields import ConfirmationCode, Username
from functions.operations import Operation
from functions.problems import CODE_REFUSED, SIGN_UP_CODE_MISSING, SIGN_UP_USERNAME_MISSING
from functions.requests import Request
from functions.settings import Runtime
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class ConfirmSignUp(Request):
    """Amplify's `ConfirmSignUpInput`."""

    operation = Operation.CONFIRM_SIGN_UP
    username = Username(empty=SIGN_UP_USERNAME_MISSING)
    confirmation_code = ConfirmationCode(empty=SIGN_UP_CODE_MISSING)


def confirm_sign_up(scope: Scope, request: ConfirmSignUp) -> None:
    """Let Cognito check the code."""
    action, code = request.operation.action, request.confirmation_code
    scope.cognito.call_as_client(action, request.username, ConfirmationCode=code)


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Endpoint[ConfirmSignUp]:
    """Return the handler of a deployment."""
    hidden = CODE_REFUSED
    return Endpoint(ConfirmSignUp, confirm_sign_up, settings, time_limits, hidden_answer=hidden)
'''
TEST: Final = '''"""An account is confirmed with the code that was sent."""

from functions.operations import Operation
from tests.unit.conftest import Invoke


def test_confirms_an_account(invoke: Invoke) -> None:
    assert invoke(Operation.CONFIRM_SIGN_UP).status == 204
'''
PROBLEMS: Final = """ALIAS_EXISTS = _Row("alias-exists", "AliasExistsException", 409).says(
    "Another account already uses this address.", "Sign in to that account."
)
SIGN_UP_USERNAME_MISSING = _Row(
    "sign-up-username-missing", "EmptyConfirmSignUpUsername", 400
).says("A username is required to confirm a sign-up.", "Enter your username.")
SIGN_UP_CODE_MISSING = _Row("sign-up-code-missing", "EmptyConfirmSignUpCode", 400).says(
    "A confirmation code is required to confirm a sign-up.", "Enter the code that you received."
)
"""
INSERTED: Final = (
    # An operation
    ("functions/operations.py", "    PASSWORD_POLICY = Facts(", OPERATION),
    (
        "functions/aws/actions.py",
        '        Action("GetUser", READS',
        '        Action("ConfirmSignUp", CHANGES, is_granted=False),\n',
    ),
    ("pyproject.toml", "custom_message | password_policy", "confirm_sign_up | "),
    # A setting
    (
        "functions/settings.py",
        "    forbidden_words: tuple[str, ...] = ()\n",
        "    max_repeats: int = 256\n",
    ),
    (
        "functions/settings.py",
        '        names += ["breach_endpoint", "forbidden_words"]\n',
        '        names += ["max_repeats"]\n',
    ),
    (
        "infra/settings.py",
        "    memory_size: int\n",
        '    max_repeats: int\n    """How often a new password may repeat a character."""\n',
    ),
    (
        "infra/settings.py",
        '    "memory_size": rules.number',
        '    "max_repeats": rules.number(1, 256),\n',
    ),
    # An error
    ("functions/problems.py", "INTERNAL_ERROR = _Row(", PROBLEMS),
    (
        "functions/outcomes.py",
        '    _account("LimitExceededException"',
        '    _account("AliasExistsException", problems.ALIAS_EXISTS),\n',
    ),
    # A rule
    (
        "functions/protection/passwords.py",
        "    # Only if no rule above is broken.\n    BREACHED,\n",
        """    Rule(
        "maxRepeats",
        "The password must not repeat a character more than {maximum} times.",
        lambda _, settings: {"maximum": settings.max_repeats},
        lambda new, maximum: any(one * (maximum + 1) in new.text for one in new.text),
    ),
""",
    ),
    (
        "tests/unit/test_password_policy.py",
        '    **{rule: {} for rule in ("containsUsername", "sameAsOld")},\n',
        '    "maxRepeats": {"maximum": 256},\n',
    ),
    (
        "web/password-service.js",
        "  forbiddenWord: (password, { words }) =>\n",
        """  maxRepeats: (password, { maximum }) =>
    [...password].some((one) => password.includes(one.repeat(maximum + 1))),
""",
    ),
    (
        "web/languages/en.json",
        '      "breached"',
        '      "maxRepeats": "at most {maximum} equal characters in a row",\n',
    ),
)
"""The insertions that the lists ask for: a file, the text that follows, and the new text."""

INFRA: Final = ("firewall", "observability", "service", "settings", "stack", "template")
"""The tests of templates that know something of the lists."""
SLOW: Final = (
    *("test_sequences", "test_layout", "test_folding", "test_dead_ends", "test_pauses"),
    "test_no_secret_is_recorded_with_every_switch",
)
"""Tests that take long and know nothing of the lists."""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one more operation, setting, error and rule."""
    root = tmp_path_factory.mktemp("grown") / "tree"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in filter(Path.is_file, map(Path, files.splitlines())):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, root / file)
    for installed in ("node_modules", ".venv"):
        (root / installed).symlink_to(ROOT / installed)
    for name, before, text in INSERTED:
        content = (root / name).read_text()
        assert content.count(before) == 1, (name, before)
        (root / name).write_text(content.replace(before, text + before))
    folder = root / "functions" / "confirm_sign_up"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""The operation `confirm_sign_up`."""\n')
    (folder / "handler.py").write_text(HANDLER)
    started = (root / "functions/reset_password/lambda_function.py").read_text()
    (folder / "lambda_function.py").write_text(started.replace("reset_password", folder.name))
    (root / "tests/unit/test_confirm_sign_up.py").write_text(TEST)
    event = json.loads((ROOT / "events/reset_password.json").read_text())
    event |= dict.fromkeys(("path", "resource"), "/confirm-sign-up")
    for case, username in (("", "demo@example.com"), (".unknown_user", "nobody@example.com")):
        event["body"] = json.dumps({"username": username, "confirmationCode": "{{code}}"})
        (root / f"events/{folder.name}{case}.json").write_text(json.dumps(event))
    with (root / "README.md").open("a") as readme:
        readme.write("\n### Confirm a sign-up: `POST /confirm-sign-up`\n")
    return root


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the copy."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_who_follows_the_lists_is_done_and_what_is_left_out_is_named(grown: Path) -> None:
    """The translations and the logical ids are left out."""
    written = run(grown, "apidocs")
    tested = run(
        grown,
        *("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"),
        "tests/unit",
        *(f"tests/infra/test_{name}.py" for name in INFRA),
        "tests/bundle/test_proof.py",
        "tests/web/test_client.py",
        *("-k", "(not bundle or stock) and " + " and ".join(f"not {name}" for name in SLOW)),
    )

    layered = run(grown, "tests", "imports")

    assert written.returncode == 0, written.stderr
    assert layered.returncode == 0, layered.stdout
    failed = re.findall(r"^FAILED tests/\w+/\w+\.py::(\w+)", tested.stdout, re.MULTILINE)
    assert sorted(failed) == [
        "test_every_language_has_the_same_texts_with_the_same_placeholders",
        "test_the_document_counts_what_a_stage_has",
        "test_the_document_prices_a_stage_of_a_developer",
        "test_the_ids_of_what_holds_data_are_those_of_the_last_version",
        "test_the_logical_ids_are_those_of_the_construct_without_a_canary",
    ], tested.stdout
    assert "de: page.rules.maxRepeats" in tested.stdout
    assert "PasswordsFunctionsConfirmSignUp" in tested.stdout
