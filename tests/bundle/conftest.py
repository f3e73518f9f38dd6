"""The bundle as it is zipped, but for this machine's architecture, so that it can run here."""

from pathlib import Path

import pytest

from infra.packaging.bundle import build, install

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@pytest.fixture(scope="session")
def bundle() -> Path:
    return build()


@pytest.fixture(scope="session")
def runtime_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's runtime client, which Lambda has next to the bundle."""
    folder = tmp_path_factory.mktemp("awslambdaric")
    install(REQUIREMENTS, folder)
    return folder
