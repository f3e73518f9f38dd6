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
        *("LICENSE", "README.md", "languages", "package.json"),
        *("password-service.d.ts", "password-service.js"),
    }
    assert "dependencies" not in manifest
    assert manifest["version"] in (ROOT / "pyproject.toml").read_text()
    assert manifest["sideEffects"] is False


def test_node_imports_the_client_and_its_catalogues(project: Path) -> None:
    show = "const { told } = await import('./program.mjs'); console.log(JSON.stringify(told))"

    assert json.loads(run(project, "node", "--input-type=module", "--eval", show)) == TOLD


def test_typescript_finds_the_types(project: Path) -> None:
    (project / "program.mts").write_text(
        PROGRAM.replace("told =", "told: [string, unknown] =")
        + "// @ts-expect-error: the username is missing\nawait resetPassword({});\n"
    )
    options = "--strict --noEmit --resolveJsonModule --module node20 --target es2022 --lib es2022"

    run(project, ROOT / "node_modules" / ".bin" / "tsc", *options.split(), "program.mts")
