"""The English catalogue of the JavaScript client, from which the other languages are translated."""

import json
from typing import Any, Final

from apidocs import ROOT
from functions.problems import PROBLEMS, REQUEST_RULES
from functions.protection.passwords import RULES

_CLIENT: Final = {
    "network-error": {
        "detail": "A network error has occurred.",
        "recoverySuggestion": "Check the connection and try again.",
    },
    "unexpected-response": {
        "detail": "An unknown error has occurred.",
        "recoverySuggestion": (
            "Something between this page and the service responded. Try again later."
        ),
    },
}
"""The problems that only the client has, with its words."""

type Catalogue = dict[str, dict[str, Any]]


def build_english() -> Catalogue:
    """Return the sentences of every problem by slug, and of every rule by name.

    The words of the page are not generated: they stay as they are in the file.
    """
    current = json.loads((ROOT / "web" / "languages" / "en.json").read_text())
    return {
        "page": current["page"],
        "problems": {
            problem.slug: {
                "detail": problem.detail,
                "recoverySuggestion": problem.recovery_suggestion,
            }
            for problem in PROBLEMS
        }
        | _CLIENT,
        "rules": {rule.name: rule.detail for rule in RULES}
        | {rule: text.replace("{field}", "This value") for rule, text in REQUEST_RULES.items()},
    }
