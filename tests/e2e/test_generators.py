"""Clients that generators make of the API's document call the deployed stack, errors included."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from functions.problems import PASSWORD_REFUSED
from local.stack import Stack, User
from tests.support import PATIENCE, ROOT

DOCUMENT = ROOT / "openapi.json"
PROGRAMS = Path(sys.executable).parent
PACKAGES = ROOT / "node_modules" / ".bin"

# Each prints what a success says, what a refusal says, and a rule and a problem of a later version.
OPENAPI_GENERATOR = """
import json, os
import made
from made.models import *

url, username = os.environ["URL"], os.environ["USERNAME"]
api = made.PasswordsApi(made.ApiClient(made.Configuration(host=url)))

# Pasted, with a space that the service removes.
body = ResetPasswordInput(username=f" {username}", options=ResetPasswordOptions())
sent = api.reset_password(body)
short = ConfirmResetPasswordInput(username=username, confirmation_code="000000", new_password="s")
try:
    api.confirm_reset_password(short, idempotency_key="made-by-openapi-generator")
except made.ApiException as caught:
    problem, status = caught.data, caught.status
UpdatePasswordInput(new_password="s", options=UpdatePasswordOptions())
rules = api.password_policy().rules
later = PasswordRule.from_dict({"rule": "later"})
unknown = Problem.from_dict(problem.to_dict() | {"type": "urn:password-service:later"})
print(json.dumps([
    sent.next_step.code_delivery_details.destination,
    [status, problem.type, [[e.pointer, e.rule, e.params.minimum] for e in problem.errors]],
    [[rules[0].rule, rules[0].params.minimum], later.rule, unknown.type],
]))
"""
OPENAPI_PYTHON_CLIENT = """
import json, os
from made import Client
from made.api.passwords import confirm_reset_password, password_policy, reset_password
from made.models import *

url, username = os.environ["URL"], os.environ["USERNAME"]
client = Client(base_url=url)

body = ResetPasswordInput(username=username, options=ResetPasswordOptions())
sent = reset_password.sync(client=client, body=body)
short = ConfirmResetPasswordInput(username=username, confirmation_code="000000", new_password="s")
refused = confirm_reset_password.sync_detailed(client=client, body=short, idempotency_key="made")
problem = refused.parsed
UpdatePasswordInput(new_password="s", options=UpdatePasswordOptions())
rules = password_policy.sync(client=client).rules
later = PasswordRule.from_dict({"rule": "later"})
unknown = Problem.from_dict(problem.to_dict() | {"type": "urn:password-service:later"})
print(json.dumps([
    sent.next_step.code_delivery_details.destination,
    [int(refused.status_code), problem.type_,
     [[e.pointer, e.rule, e.params.minimum] for e in problem.errors]],
    [[rules[0].rule, rules[0].params.minimum], later.rule, unknown.type_],
]))
"""
OPENAPI_TYPESCRIPT = """
import type { components, paths } from './made.js';

type Json<T> = T extends { content: { 'application/json': infer Body } } ? Body : never;
type Reset = paths['/reset-password']['post'];
type Confirm = paths['/confirm-reset-password']['post'];
type Update = paths['/update-password']['post'];
type Policy = paths['/password-policy']['get'];
type Refusal = Confirm['responses'][400]['content']['application/problem+json'];
type Schemas = components['schemas'];
declare const process: { env: Record<string, string> };

const { URL: url, USERNAME: username } = process.env;
const post = (path: keyof paths, body: object) =>
  fetch(url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

const reset: Json<Reset['requestBody']> = { username, options: {} };
const sent: Json<Reset['responses'][200]> = await (await post('/reset-password', reset)).json();
const answer = { confirmationCode: '000000', newPassword: 's' };
const short: Json<Confirm['requestBody']> = { username, ...answer };
const refused = await post('/confirm-reset-password', short);
const problem: Refusal = await refused.json();
const update: Json<Update['requestBody']> = { newPassword: 's', options: {} };
// @ts-expect-error: the document has no such member
update.username = username;
const policy = await fetch(`${url}/password-policy`);
const { rules: [first] }: Json<Policy['responses'][200]> = await policy.json();
const later: Schemas['PasswordRule'] = { rule: 'later' };
const unknown: Schemas['Problem'] = { ...problem, type: 'urn:password-service:later' };
const errors = problem.errors?.map((e) => [e.pointer, e.rule, e.params?.minimum]);
console.log(JSON.stringify([
  sent.nextStep.codeDeliveryDetails?.destination,
  [refused.status, problem.type, errors],
  [[first.rule, first.params?.minimum], later.rule, unknown.type],
]));
"""


def run(folder: Path, *command: str | Path, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def call(stack: Stack, user: User, folder: Path, *program: str | Path) -> Any:
    variables = {"URL": stack.url, "USERNAME": user.username}
    return json.loads(run(folder, *program, **variables))


def check(printed: Any) -> None:
    minimum = ["#/newPassword", "minLength", 15]
    assert printed == [
        "a***@e***",
        [400, PASSWORD_REFUSED.type, [minimum]],
        [["minLength", 15], "later", "urn:password-service:later"],
    ]


def test_openapi_generator_makes_a_client(stack: Stack, user: User, tmp_path: Path) -> None:
    options = ("--input-spec", DOCUMENT, "--generator-name", "python", "--package-name", "made")

    said = run(tmp_path, PROGRAMS / "openapi-generator-cli", "generate", *options, "--output", ".")

    assert "Illegal schema" not in said
    check(call(stack, user, tmp_path, sys.executable, "-c", OPENAPI_GENERATOR))


def test_openapi_python_client_makes_a_client(stack: Stack, user: User, tmp_path: Path) -> None:
    options = ("--path", DOCUMENT, "--output-path", "made", "--meta", "none")

    said = run(tmp_path, PROGRAMS / "openapi-python-client", "generate", *options)

    assert "WARNING" not in said  # it leaves out what it does not understand
    check(call(stack, user, tmp_path, sys.executable, "-c", OPENAPI_PYTHON_CLIENT))


def test_openapi_typescript_makes_types(stack: Stack, user: User, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{ "type": "module" }')
    (tmp_path / "client.ts").write_text(OPENAPI_TYPESCRIPT)
    options = "--strict --module node20 --target es2022 --lib es2022,dom"

    run(tmp_path, PACKAGES / "openapi-typescript", DOCUMENT, "--output", "made.ts")
    run(tmp_path, PACKAGES / "tsc", *options.split(), "client.ts")

    check(call(stack, user, tmp_path, "node", "client.js"))
