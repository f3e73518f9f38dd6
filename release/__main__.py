"""`make package` builds what is published, and `make release` says under which version.

python -m release            writes to `dist/` the wheel, the npm tarball, and the template with its
                             functions
python -m release VERSION    commits and tags a version
"""

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from release.pages import find_repository, write_page

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"
CLIENT: Final = ("password-service.js", "password-service.d.ts", "languages")
"""The parts of `web/` that are for other people's pages."""
COMMON_JS: Final = "commonjs"
"""The folder of the package that `require` loads: its own manifest makes `.js` files CommonJS."""


def build_wheel(folder: Path) -> None:
    """Write the wheel: the same bytes from the same commit."""
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))


def write_template(folder: Path) -> None:
    """Write the CloudFormation template and the zip of the functions."""
    # In a process of its own, since the CDK starts Node when it is imported.
    run(sys.executable, "-m", "release.template", str(folder))


def pack_client(folder: Path) -> None:
    """Write the npm tarball: the same bytes from the same commit."""
    manifest = json.loads((ROOT / "release" / "package.json").read_text())
    manifest["version"] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if repository := find_repository():
        home = f"https://github.com/{repository}"
        # npm compares it with the repository that the provenance names.
        manifest["repository"] = {"type": "git", "url": f"git+{home}.git"}
        manifest |= {"homepage": f"{home}#readme", "bugs": f"{home}/issues"}
    with TemporaryDirectory() as name:
        draft = Path(name)
        for path in (ROOT / "web" / name for name in CLIENT):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, draft / path.name)
        _add_common_js(draft)
        shutil.copy(ROOT / "LICENSE", draft)
        (draft / "README.md").write_text(write_page("npm.md", manifest["version"]))
        (draft / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
        run("npm", "pack", "--silent", "--pack-destination", str(folder), str(draft))


def _add_common_js(draft: Path) -> None:
    script, types, _ = CLIENT
    folder = draft / COMMON_JS
    folder.mkdir()
    (folder / script).write_text(to_common_js((draft / script).read_text()))
    shutil.copy(draft / types, folder)
    (folder / "package.json").write_text('{ "type": "commonjs" }\n')


def to_common_js(source: str) -> str:
    """Return a module for `require`: the same declarations, exported at the end.

    The source imports nothing, and each `export` in it begins the declaration of one name.
    """
    exported = re.compile(r"^export (?=(?:async )?(?:function|class) (\w+))", re.MULTILINE)
    names = ", ".join(one[1] for one in exported.finditer(source))
    declarations = exported.sub("", source)
    if left := re.search(r"^(?:import|export)\b.*", declarations, re.MULTILINE):
        raise SystemExit(f"This line has no form in CommonJS: {left[0]}")
    return f"'use strict';\n\n{declarations}\nmodule.exports = {{ {names} }};\n"


def release(version: str) -> None:
    """Date the changelog, commit the version and tag it; or say in a sentence why not."""
    project = ROOT / "pyproject.toml"
    current = tomllib.loads(project.read_text())["project"]["version"]
    changelog = ROOT / "CHANGELOG.md"
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit(f"VERSION must be like 1.2.3, not {version!r}.")
    if _numbers(version) < _numbers(current):
        raise SystemExit(f"VERSION {version} is below {current}: choose a higher one.")
    if read("git", "branch", "--show-current") != "main":
        raise SystemExit("A release is made on main: switch to it first.")
    if read("git", "status", "--porcelain"):
        raise SystemExit("There are changes that are not committed: commit or remove them first.")
    if read("git", "tag", "--list", f"v{version}"):
        raise SystemExit(f"There is a tag v{version} already: choose a higher version.")
    _, heading, rest = changelog.read_text().partition("## Unreleased\n")
    if not rest.partition("\n## ")[0].strip():
        raise SystemExit("CHANGELOG.md has nothing under Unreleased: say there what has changed.")
    today = dt.datetime.now(dt.UTC).date()
    _replace(changelog, heading, f"{heading}\n## {version} - {today}\n")
    _replace(project, f'version = "{current}"\n', f'version = "{version}"\n')
    run(sys.executable, "-m", "apidocs")
    run("git", "commit", "--all", "--quiet", "--message", f"Release {version}")
    run("git", "tag", "--annotate", f"v{version}", "--message", f"Release {version}")
    print(f"To publish it: git push --atomic origin main v{version}")  # noqa: T201 - to a person


def run(*command: str) -> None:
    """Run a command in the project's folder, or exit."""
    if subprocess.run(command, cwd=ROOT, check=False).returncode:  # noqa: S603 - our own
        raise SystemExit(f"{' '.join(command)} failed.")


def read(*command: str) -> str:
    """Return what a command prints."""
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    return done.stdout.strip()


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new, 1))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        release(sys.argv[1])
    else:
        shutil.rmtree(DIST, ignore_errors=True)
        DIST.mkdir()
        for make in (build_wheel, pack_client, write_template):
            make(DIST)
