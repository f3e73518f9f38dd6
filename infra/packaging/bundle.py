"""The functions' code as Lambda gets it: built without Docker, the same on every machine."""

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra.packaging import slimming
from infra.packaging.slimming import slim

ROOT: Final = Path(__file__).parents[2]
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can hold."""

SOURCES: Final = (".py", ".json")
"""The file types of `functions/` that the bundle includes: modules, and the texts of mails."""


def find_code() -> Path:
    """Return the zip of the functions: the one in the installed package, or else a new one."""
    built = Path(__file__).with_name("functions.zip")
    return built if built.exists() else archive(build())


def build(root: Path = ROOT) -> Path:
    """A folder with what is used of `functions/requirements.txt`, and the modules of `functions/`.

    It has no library for one processor, so that it runs on Lambda's and on this machine's. The
    folder is named for what goes into it, so that nothing is built twice, nor changed while another
    process reads it.
    """
    requirements = root / "functions" / "requirements.txt"
    modules = {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / "functions").rglob("*"))
        if path.suffix in SOURCES
    }
    builds = root / ".build"
    packages = builds / _name("packages", requirements.read_bytes())
    build_rules = [Path(module).read_bytes() for module in (__file__, slimming.__file__)]
    bundle = builds / _name("bundle", packages.name, modules, build_rules, sys.version)
    builds.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=builds) as name:
        draft = Path(name)
        if not packages.exists():
            install(requirements, draft / "packages", "--platform", "any")
            _publish(draft / "packages", packages)
        if not bundle.exists():
            # Links, since a copy of the packages for each edit would fill the disk.
            shutil.copytree(packages, draft / "bundle", copy_function=os.link)
            for module, content in modules.items():
                (draft / "bundle" / module).parent.mkdir(parents=True, exist_ok=True)
                (draft / "bundle" / module).write_bytes(content)
            slim(draft / "bundle")
            _publish(draft / "bundle", bundle)
    return bundle


def archive(bundle: Path) -> Path:
    """The zip of a bundle: the same bytes from the same files, whatever their times and order."""
    target = bundle.with_suffix(".zip")
    if not target.exists():
        with TemporaryDirectory(dir=bundle.parent) as name:
            draft = Path(name) / target.name
            with ZipFile(draft, "w") as archived:
                for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
                    member = ZipInfo(str(path.relative_to(bundle)), _EPOCH)
                    member.external_attr = 0o644 << 16
                    # The options of the `ZipFile` do not apply to a `ZipInfo`.
                    archived.writestr(member, path.read_bytes(), ZIP_DEFLATED, compresslevel=9)
            _publish(draft, target)
    return target


def install(requirements: Path, target: Path, *options: str) -> None:
    """Install locked wheels, without what differs between two installations of the same ones."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = ["--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"]
    paths = ["--target", str(target), "--requirement", str(requirements)]
    command = [*pip, *locked, *options, *paths]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - pip's own options
        raise SystemExit(f"The packages of {requirements} could not be installed: pip says why.")
    shutil.rmtree(target / "bin", ignore_errors=True)
    for metadata in target.glob("*.dist-info"):
        for name in ("RECORD", "REQUESTED", "INSTALLER"):
            (metadata / name).unlink(missing_ok=True)


def _name(kind: str, *contents: object) -> str:
    return f"{kind}-{hashlib.sha256(repr(contents).encode()).hexdigest()[:16]}"


def _publish(draft: Path, final: Path) -> None:
    """Put a finished folder in its place; one that another process has put there is the same."""
    with suppress(OSError):
        draft.rename(final)
