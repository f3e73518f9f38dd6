"""Every generated document and the file that holds it."""

import json

from apidocs import client, languages, openapi, pages


def write_all() -> dict[str, str]:
    """Return the text of each document by its file in the repository."""
    return {
        "openapi.json": _write(openapi.build()),
        "docs/problems.md": pages.write_problems(),
        "docs/reference.md": pages.write_reference(),
        "docs/settings.md": pages.write_settings(),
        client.FILE: client.write_client(),
        "web/languages/en.json": _write(languages.build_english()),
    }


def _write(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
