"""The functions' code as Lambda gets it: built without Docker, the same on every machine."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LAMBDA: Final = "manylinux2014_aarch64"
"""The platform of the deployed functions, as wheels name it."""

_NOT_SHIPPED: Final = shutil.ignore_patterns("__pycache__", "requirements.txt")


def build(platform: str | None, root: Path = ROOT) -> Path:
    """A folder with the packages of `functions/requirements.txt` and `functions/` itself.

    `platform` is that of the wheels, or None for the machine that builds. Packages are installed
    anew only when the requirements or the platform change. The folder's name comes from what it
    holds, so that whoever else uses it is not disturbed.
    """
    requirements = root / "functions" / "requirements.txt"
    content = requirements.read_bytes() + str(platform or sys.platform).encode()
    builds = root / ".build"
    packages = builds / f"packages-{hashlib.sha256(content).hexdigest()[:16]}"
    builds.mkdir(exist_ok=True)
    if not packages.exists():
        folder = Path(mkdtemp(dir=builds))
        install(requirements, folder, platform)
        _rename(folder, packages)
    draft = Path(mkdtemp(dir=builds))
    shutil.copytree(packages, draft, copy_function=os.link, dirs_exist_ok=True)
    shutil.copytree(root / "functions", draft / "functions", ignore=_NOT_SHIPPED)
    bundle = builds / f"bundle-{_digest(draft)}"
    _rename(draft, bundle)
    return bundle


def install(requirements: Path, target: Path, platform: str | None) -> None:
    """Install locked wheels, without what differs between two installations of the same ones."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = ["--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"]
    foreign = ["--platform", platform, "--python-version", "3.13"] if platform else []
    paths = ["--target", str(target), "--requirement", str(requirements)]
    subprocess.run([*pip, *locked, *foreign, *paths], check=True)  # noqa: S603 - pip's own options
    shutil.rmtree(target / "bin", ignore_errors=True)
    for metadata in target.glob("*.dist-info"):
        for name in ("RECORD", "REQUESTED", "INSTALLER"):
            (metadata / name).unlink(missing_ok=True)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:16]


def _rename(draft: Path, final: Path) -> None:
    """Put a finished folder in its place; one that another process has put there is the same."""
    if final.exists():
        shutil.rmtree(draft)
        return
    draft.chmod(0o755)
    try:
        draft.rename(final)
    except OSError:
        shutil.rmtree(draft)
