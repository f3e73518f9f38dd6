"""Every generated document and the file that holds it."""

import json

from apidocs import openapi, pages


def write_all() -> dict[str, str]:
    """Return the text of each document by its file in the repository."""
    document = json.dumps(openapi.build(), indent=2, ensure_ascii=False) + "\n"
    return {
        "openapi.json": document,
        "docs/problems.md": pages.write_problems(),
        "docs/reference.md": pages.write_reference(),
        "docs/settings.md": pages.write_settings(),
    }
