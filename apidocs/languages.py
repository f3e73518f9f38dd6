"""The English catalogue of the JavaScript client, from which the other languages are translated."""

import json
from typing import Any, Final

from apidocs import ROOT
from functions.problems import PROBLEMS, REQUEST_RULES
from functions.protection.passwords import RULES

CLIENT: Final = {
    "network-error": {
        "detail": "A network error has occurred.",
        "recoverySuggestion": "Check the connection and try again.",
    },
    "network-error-of-change": {
        "detail": "A network error has occurred.",
        "recoverySuggestion": (
            "Your password may have been changed. Check the connection, then try to sign in with"
            " the new password before you try again."
        ),
    },
    "unexpected-response": {
        "detail": "An unknown error has occurred.",
        "recoverySuggestion": (
            "Something between this page and the service responded. Try again later."
        ),
    },
    "unexpected-response-of-change": {
        "detail": "An unknown error has occurred.",
        "recoverySuggestion": (
            "Something between this page and the service responded, and your password may have been"
            " changed. Try to sign in with the new password before you try again."
        ),
    },
}
"""The problems that only the client has, with its words.

Those that end with `-of-change` are for a change of the password that may have worked.
"""

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
        | CLIENT,
        "rules": {rule.name: rule.detail for rule in RULES}
        | {rule: text.replace("{field}", "This value") for rule, text in REQUEST_RULES.items()},
    }
