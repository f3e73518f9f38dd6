"""The bundle holds exactly what is locked, whatever builds it; the wheel needs no more."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from infra.packaging.bundle import ROOT, archive, build, find_code
from infra.packaging.slimming import slim
from release import template
from release.__main__ import build_wheel
from release.pages import write_page
from tests.infra.conftest import context, synthesize

EXAMPLE = ROOT / "examples" / "embed" / "app.py"
POOL = {"userPoolId": "eu-west-1_Theirs000", "userPoolClientId": "theirs"}
LOCKED = re.findall(
    r"^([\w-]+)==([\w.]+)", (ROOT / "functions/requirements.txt").read_text(), re.MULTILINE
)
MAX_ZIP = 4 * 1024 * 1024


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, of another age, where two builds at once found nothing built."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("functions", "infra", "local"):
        shutil.copytree(ROOT / name, copy / name)
    shutil.copy(ROOT / "app.py", copy)
    (copy / "functions" / "notes.swp").write_text("an editor left this")
    for path in copy.rglob("*"):
        os.utime(path, (1, 1))
    with ThreadPoolExecutor(2) as builders:
        first, second = builders.map(build, [copy, copy])
    assert first == second
    assert len(list(first.parent.iterdir())) == 2  # the packages and the bundle, no drafts
    return copy


@pytest.fixture(scope="module")
def packages(copy: Path) -> Path:
    """The packages of the functions as they were installed."""
    (packages,) = (copy / ".build").glob("packages-*")
    return packages


def test_two_builds_are_the_same_to_the_byte(bundle: Path, copy: Path) -> None:
    second = build(copy)

    assert second.name == bundle.name
    assert contents(second) == contents(bundle)
    assert archive(second).read_bytes() == archive(bundle).read_bytes()


def test_the_template_is_the_same_from_another_copy_of_the_tree(copy: Path, tmp_path: Path) -> None:
    settings = context(stage="prod", mailFrom="no-reply@example.com")
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=copy,
        env={
            "CDK_CONTEXT_JSON": json.dumps(settings),
            "CDK_OUTDIR": str(tmp_path),
            "CDK_VALIDATION": "false",
            "JSII_NODE": os.environ["JSII_NODE"],
            "PATH": os.environ["PATH"],
            "PYTHONHASHSEED": "1",  # the order of sets, which is another one in each process
        },
        check=True,
        capture_output=True,
    )

    copied = json.loads((tmp_path / "password-service-prod.template.json").read_text())
    assert json.dumps(copied) == json.dumps(synthesize(stage="prod"))


def test_a_release_has_the_same_template_and_zip_from_another_process(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "release.template", tmp_path],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "1"},
        check=True,
    )

    assert (tmp_path / template.TEMPLATE).read_text() == template.synthesize()
    assert (tmp_path / template.CODE).read_bytes() == find_code().read_bytes()


def test_the_bundle_holds_stock_packages_with_their_licences_and_our_functions(
    bundle: Path, packages: Path
) -> None:
    """No line of a package is changed, and whatever scanners and lawyers read is there."""
    files, stock = contents(bundle), contents(packages)
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "functions"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {name: (ROOT / name).read_bytes() for name in tracked if (ROOT / name).exists()}
    ours = {name: text for name, text in ours.items() if name.endswith((".py", ".json"))}
    made = ("functions/aws/amazon-roots.pem", "botocore/data/")
    theirs = {
        name: text
        for name, text in files.items()
        if name not in ours and not name.startswith(made) and not name.endswith(".pyc")
    }

    assert files.items() >= ours.items()
    assert theirs.items() <= stock.items()
    assert {path.name for path in bundle.glob("*.dist-info")} == {
        f"{name.replace('-', '_')}-{version}.dist-info" for name, version in LOCKED
    }
    metadata = {name for name in stock if ".dist-info/" in name}
    assert metadata <= files.keys()
    # A file that was compiled for one processor is a library of Linux.
    assert not [name for name, content in files.items() if content.startswith(b"\x7fELF")]


def test_the_zip_is_small_and_unpacks_to_the_bundle(bundle: Path, packages: Path) -> None:
    size = archive(bundle).stat().st_size
    with ZipFile(archive(bundle)) as archived:
        unpacked = {name: archived.read(name) for name in archived.namelist()}

    assert size <= min(MAX_ZIP, archive(packages).stat().st_size / 4)
    assert unpacked == contents(bundle)


def test_a_package_without_a_hash_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions/requirements.txt").write_text("six==1.17.0\n")

    with pytest.raises(SystemExit, match=r"requirements\.txt could not be installed"):
        build(tmp_path)

    assert list((tmp_path / ".build").iterdir()) == []


def test_a_store_without_amazons_certificates_is_noticed(packages: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(packages, tmp_path / "changed")
    (changed / "botocore/cacert.pem").write_text('# Label: "Another Root CA"\n')

    with pytest.raises(SystemExit, match="no longer names Amazon's certificates"):
        slim(changed)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build_wheel(folder)
    (built,) = folder.iterdir()
    return built


def test_the_wheel_has_one_package_its_types_its_licence_its_parts_and_its_page(
    wheel: Path,
) -> None:
    with ZipFile(wheel) as archived:
        names = archived.namelist()
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        headers = message_from_bytes(archived.read(metadata))
        code = archived.read("cognito_password_service/infra/packaging/functions.zip")
        (bill,) = (name for name in names if ".dist-info/sboms/" in name)  # PEP 770
        parts = json.loads(archived.read(bill))["components"]

    assert {name.split("/")[0] for name in names} == {
        "cognito_password_service",
        f"cognito_password_service-{headers['Version']}.dist-info",
    }
    assert "cognito_password_service/py.typed" in names
    assert headers["License-Expression"] == "Apache-2.0"
    assert headers["License-File"] == "LICENSE"
    assert "pip install cognito-password-service\n" in str(headers.get_payload())
    assert code == find_code().read_bytes()
    assert {(part["name"], part["version"]) for part in parts} == set(LOCKED)


@pytest.mark.parametrize("name", ["pypi.md", "npm.md"])
def test_the_page_of_a_package_links_to_files_of_its_release_if_the_repository_is_known(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    plain = write_page(name, "1.2.3")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/passwords")
    page = write_page(name, "1.2.3")

    places = (
        r"https://(?:raw\.githubusercontent\.com/acme/passwords|github\.com/acme/passwords/blob)"
    )
    links = re.findall(rf"{places}/v1\.2\.3/([^)#]+)(?:#([^)]+))?\)", page)
    assert len(links) == page.count("acme/passwords") > 3
    assert "docs/page.png" in dict(links)
    for path, anchor in links:
        assert (ROOT / path).is_file(), path
        assert not anchor or anchor.replace("-", " ") in (ROOT / path).read_text().lower()
    assert not re.search(r"acme|OWNER|TAG|github", plain)
    assert len(page.splitlines()) > len(plain.splitlines()) > 20


def test_a_foreign_app_is_synthesized_with_only_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Run the example with nothing of this repository, and with no tool but Node."""
    site = tmp_path / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--target", site, wheel], check=True)

    def synthesize_example(**passwords: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", EXAMPLE],
            cwd=tmp_path,
            env={
                "CDK_CONTEXT_JSON": json.dumps(POOL | {"passwords": passwords}),
                "CDK_OUTDIR": str(tmp_path / "cdk.out"),
                "JSII_NODE": os.environ["JSII_NODE"],
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(site),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    wrong = synthesize_example(mail_from="example.com")
    done = synthesize_example(mail_from="no-reply@example.com")

    assert wrong.returncode == 1
    assert "mail_from must be like no-reply@example.com, not 'example.com'" in wrong.stderr
    assert (done.returncode, done.stderr) == (0, "")
    (template,) = (tmp_path / "cdk.out").glob("*.template.json")
    assert "eu-west-1_Theirs000" in template.read_text()
    (zipped,) = (tmp_path / "cdk.out").glob("asset.*.zip")
    assert zipped.read_bytes() == find_code().read_bytes()
