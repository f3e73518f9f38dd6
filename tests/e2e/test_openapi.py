"""The deployed API does what its document says, and the document is enough to call it."""

import subprocess
import sys
from itertools import count
from subprocess import PIPE, Popen
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response
from schemathesis.config import SchemathesisConfig
from urllib3 import HTTPHeaderDict

from functions.operations import Operation
from functions.problems import RESET_USERNAME_MISSING
from local.stack import Stack, User
from tests.e2e.conftest import NEW
from tests.support import PATIENCE, ROOT, contract

REFUSALS = {
    Operation.RESET_PASSWORD: [],
    Operation.CONFIRM_RESET_PASSWORD: ["400"],
    Operation.UPDATE_PASSWORD: ["400", "403"],
    Operation.PASSWORD_POLICY: [],
}
"""Refusals of valid bodies: no schema knows the pool's policy, a mailed code, the old password."""
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"deterministic": True, "max-examples": 40, "database": "none"},
        "operations": [
            {
                "include-path": operation.path,
                "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", *refusals]}},
            }
            for operation, refusals in REFUSALS.items()
        ],
    }
)
DOCUMENT = schemathesis.openapi.from_path(ROOT / "openapi.json", config=CONFIG)
OPERATIONS = {operation.path: operation for operation in Operation}
EXAMPLE = [sys.executable, str(ROOT / "examples" / "reset_password.py")]

_numbers = count()


@schemathesis.check
def valid_data_is_not_malformed(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Assert that no refusal is `InvalidParameterException`, whose status would pass."""
    assert case.meta is not None
    if case.meta.generation.mode.is_positive and response.status_code >= 400:
        # No schema knows who has a password, and must not leave the old one out.
        left_out = isinstance(case.body, dict) and "oldPassword" not in case.body
        assert response.json()["code"] in {
            *(["EmptyUpdatePassword"] if left_out else []),
            "CodeMismatchException",
            "InvalidPasswordException",
            "NotAuthorizedException",
        }


@DOCUMENT.parametrize()
def test_every_check_of_schemathesis_passes(case: Case[Any], stack: Stack) -> None:
    """Each call comes from an address, and from a user, that has made no other attempt."""
    number = next(_numbers)
    headers = {"X-Forwarded-For": f"198.19.{number // 256}.{number % 256}"}
    if OPERATIONS[case.operation.path].signed_in:
        # The example has this password; only an update that works shows that it needs the token.
        user = User(f"schemathesis{number}@example.com", stack.demo_user.password)
        stack.create(user)
        headers["Authorization"] = f"Bearer {stack.sign_in(user)['AccessToken']}"

    assert case.meta is not None
    is_positive, body = case.meta.generation.mode.is_positive, case.body
    if is_positive and isinstance(body, dict) and "username" in body:
        # Users of this pool sign in by an address, and the schema is that of any pool.
        body["username"] = f"schemathesis{number}@example.com"
    response = case.call_and_validate(base_url=stack.url, headers=headers)
    if case.method == OPERATIONS[case.operation.path].method:
        answered = HTTPHeaderDict({name: one for name, (one, *_) in response.headers.items()})
        contract.check(
            OPERATIONS[case.operation.path], response.status_code, answered, response.text
        )


def test_the_example_in_python_resets_a_password(stack: Stack, user: User) -> None:
    program = [*EXAMPLE, stack.url, user.username]
    # In a session of its own it has no terminal to ask for the password.
    with Popen(program, stdin=PIPE, stdout=PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "Sent to a***@e***\n"
        said, _ = process.communicate(f"{stack.code(user.username)}\n{NEW}\n", timeout=PATIENCE)

    assert said.endswith("The password is changed.\n")
    assert process.returncode == 0
    assert stack.sign_in(User(user.username, NEW))


def test_the_example_in_python_says_what_to_do(stack: Stack) -> None:
    program = [*EXAMPLE, stack.url, ""]

    refused = subprocess.run(program, capture_output=True, text=True, check=False, timeout=PATIENCE)

    assert refused.returncode == 1
    assert refused.stderr == (
        f"Username is required.\n{RESET_USERNAME_MISSING.recovery_suggestion}\n"
    )
