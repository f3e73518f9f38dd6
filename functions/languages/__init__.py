"""The languages of mails and messages, and their texts."""

import json
import re
from functools import cache
from typing import Any, Final

LANGUAGES: Final = ("de", "en", "es", "fr", "ja", "pt")
"""Each has a file in this folder."""
DEFAULT: Final = "en"

_RANGE: Final = re.compile(
    rf"({'|'.join(LANGUAGES)})(?:[-_][a-z\d]{{1,8}})*"
    r"(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII | re.IGNORECASE,
)


def choose_language(*texts: str) -> str:
    """Return the language that the first text asks for and that we have, or an empty string.

    A text is a locale such as `pt-BR`, or several with weights as in `Accept-Language` (RFC 9110
    §12.5.4).
    """
    for text in texts:
        found = [match for one in text.split(",") if (match := _RANGE.fullmatch(one.strip()))]
        weights = [(float(match[2] or 1), match[1].lower()) for match in found]
        weight, language = max(weights, key=lambda one: one[0], default=(0.0, ""))
        if weight:
            return language
    return ""


@cache
def read_texts(language: str) -> dict[str, Any]:
    """Return the texts of a language by name, in English where it has none."""
    from pathlib import Path  # noqa: PLC0415 - most processes send no mail

    folder = Path(__file__).parent
    read = [json.loads((folder / f"{one}.json").read_text("utf-8")) for one in (DEFAULT, language)]
    texts: dict[str, Any] = read[0] | read[1]
    return texts
