"""The English catalogue of the JavaScript client, from which the other languages are translated."""

from typing import Any, Final

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
    """Return the sentences of every problem by slug, and of every rule by name."""
    return {
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
