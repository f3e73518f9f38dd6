"""The pages of PyPI and npm, which link to the files of the released version."""

import os
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FOLDER: Final = Path(__file__).parent


def find_repository() -> str:
    """Return the owner and the name of the repository that GitHub builds, or an empty string."""
    return os.environ.get("GITHUB_REPOSITORY", "")


def write_page(name: str, version: str) -> str:
    """Return a page. Without a repository, it has no line with a link to one of its files."""
    repository = find_repository()
    lines = (_FOLDER / name).read_text().splitlines(keepends=True)
    kept = "".join(line for line in lines if repository or "OWNER/NAME" not in line)
    return kept.replace("OWNER/NAME", repository).replace("/TAG/", f"/v{version}/")


class Pages(MetadataHookInterface):
    """The page of the wheel, and the links next to it."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add them to what `pyproject.toml` says."""
        page = write_page("pypi.md", metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": page}
        home = f"https://github.com/{find_repository()}"
        links = {"Source": home, "Issues": f"{home}/issues"}
        links["Changelog"] = f"{home}/blob/v{metadata['version']}/CHANGELOG.md"
        metadata["urls"] = links if find_repository() else {}
