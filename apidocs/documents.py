"""Every generated document and the file that holds it."""

import json

from apidocs import client, events, languages, openapi, pages


def write_all() -> dict[str, str]:
    """Return the text of each document by its file in the repository."""
    return {
        "openapi.json": _write(openapi.build()),
        "docs/reference/checks.md": pages.write_checks(),
        **{f"docs/reference/events/{n}.json": _write(one) for n, one in events.build().items()},
        "docs/reference/limits.md": pages.write_limits(),
        "docs/reference/problems.md": pages.write_problems(),
        "docs/reference/settings.md": pages.write_settings(),
        "docs/reference/telemetry.md": pages.write_telemetry(),
        client.FILE: client.write_client(),
        "web/languages/en.json": _write(languages.build_english()),
    }


def _write(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
