"""The npm package, installed into projects that have nothing else."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from release.__main__ import pack_client
from tests.support import PATIENCE, ROOT

PROGRAM = """
import { AuthError, localize, resetPassword } from 'cognito-password-service';
import german from 'cognito-password-service/languages/de.json' with { type: 'json' };

const error = new AuthError({
  type: 'urn:password-service:code-refused', name: 'CodeMismatchException', message: 'Wrong.',
});
const failure = await resetPassword({ username: 'ada' }).catch((error) => error);
export const told = [localize(error, german).message, failure.type];
"""
COMMON_JS = """
const { AuthError, localize, resetPassword } = require('cognito-password-service');
const german = require('cognito-password-service/languages/de.json');

const error = new AuthError({
  type: 'urn:password-service:code-refused', name: 'CodeMismatchException', message: 'Wrong.',
});
resetPassword({ username: 'ada' }).catch((failure) =>
  console.log(JSON.stringify([localize(error, german).message, failure.type])),
);
"""
TYPED = """
import { createClient, localize } from 'cognito-password-service';

export const { resetPassword } = createClient({ endpoint: 'https://example.com' });
export const told: string = localize(undefined, { problems: {}, rules: {} }).message;
"""
GERMAN = json.loads((ROOT / "web" / "languages" / "de.json").read_text())
TOLD = [GERMAN["problems"]["code-refused"]["detail"], "urn:password-service:not-configured"]


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    pack_client(folder)
    (packed,) = folder.iterdir()
    return packed


@pytest.fixture(scope="module")
def project(tarball: Path) -> Path:
    """An empty project with the package, installed without a network."""
    project = tarball.parent / "project"
    project.mkdir()
    (project / "package.json").write_text('{ "type": "module", "private": true }')
    options = ("--offline", "--no-audit", "--no-fund", "--ignore-scripts", "--silent")
    run(project, "npm", "install", *options, str(tarball))
    (project / "program.mjs").write_text(PROGRAM)
    return project


def run(project: Path, *command: str | Path) -> str:
    done = subprocess.run(
        command,
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(project)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_holds_the_client_alone_and_needs_nothing(project: Path) -> None:
    package = project / "node_modules" / "cognito-password-service"
    manifest = json.loads((package / "package.json").read_text())

    assert {path.name for path in package.iterdir()} == {
        *("LICENSE", "README.md", "commonjs", "languages", "package.json"),
        *("password-service.d.ts", "password-service.js"),
    }
    assert "dependencies" not in manifest
    assert manifest["version"] in (ROOT / "pyproject.toml").read_text()
    assert manifest["sideEffects"] is False


def test_node_imports_the_client_and_its_catalogues(project: Path) -> None:
    show = "const { told } = await import('./program.mjs'); console.log(JSON.stringify(told))"

    assert json.loads(run(project, "node", "--input-type=module", "--eval", show)) == TOLD


def test_common_js_requires_the_client_and_its_catalogues(project: Path) -> None:
    (project / "program.cjs").write_text(COMMON_JS)

    # Without the option, Node would load ES modules as well, which Jest does not.
    printed = run(project, "node", "--no-experimental-require-module", "program.cjs")

    assert json.loads(printed) == TOLD


def test_both_builds_export_the_same(project: Path) -> None:
    show = """
        import * as module from 'cognito-password-service';
        import { createRequire } from 'node:module';
        const required = createRequire(import.meta.url)('cognito-password-service');
        console.log(JSON.stringify([module, required].map((one) => Object.keys(one).sort())));
    """

    module, required = json.loads(run(project, "node", "--input-type=module", "--eval", show))

    assert {"AuthError", "configure", "createClient", "localize", "resetPassword"} <= {*required}
    assert [name for name in module if name not in {"default", "module.exports"}] == required


@pytest.mark.parametrize(
    ("file", "program", "options"),
    [
        ("program.mts", PROGRAM.replace("told =", "told: [string, unknown] ="), "--module node20"),
        ("program.cts", TYPED, "--module node16"),
        # The oldest resolution, which reads no `exports`.
        (
            "program.ts",
            TYPED,
            "--module commonjs --moduleResolution node10 --ignoreDeprecations 6.0",
        ),
    ],
)
def test_typescript_finds_the_types(project: Path, file: str, program: str, options: str) -> None:
    wrong = "// @ts-expect-error: the username is missing\nresetPassword({});\n"
    (project / file).write_text(program + wrong)
    flags = f"--strict --noEmit --resolveJsonModule --target es2022 --lib es2022 {options}"

    run(project, ROOT / "node_modules" / ".bin" / "tsc", *flags.split(), file)
