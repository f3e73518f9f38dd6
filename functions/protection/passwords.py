"""The rules for a new password, all checked at once, and for every username."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from functions.aws.cognito import Cognito, Pool
from functions.fields import UNPRINTABLE, Password
from functions.outcomes import POLICY_UNREADABLE
from functions.problems import (
    PASSWORD_REFUSED,
    PASSWORD_USED_BEFORE,
    Failure,
    FieldError,
    Problem,
)
from functions.protection import breaches
from functions.records import Degradation, Record
from functions.settings import Runtime

type Params = Mapping[str, Any]
type Policy = Mapping[str, Any]
"""A pool's policy in Cognito's terms."""

MIN_NAME: Final = 3
MIN_PART: Final = 5
"""Characters. Too many good passwords contain a shorter name by chance: one of three or four
characters is refused only as a word of its own, and a shorter one never."""
_LETTER: Final = r"[^\W\d_]"
LOOK_ALIKES: Final = str.maketrans("01!|i34@5$78", "olllleaasstb")
"""Characters that people write instead of a letter. `make docs` gives the client the same table."""
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
"""Together with the category Cf, Unicode's Default_Ignorable_Code_Point: what shows nothing."""
_SYMBOLS: Final = "^$*.[]{}()?!@#%&/,><:;|_~`=+- " + "\"'" + chr(92)


class Candidate(NamedTuple):
    """A new password, with the names and the old password that it must not contain."""

    text: str
    names: Collection[str]
    old: str | None


class Rule(NamedTuple):
    """A rule. `errors`, the policy's response and the client use its name."""

    name: str
    detail: str
    """The sentence for users, with `params` in braces."""
    params: Callable[[Policy, Runtime], Params | None] = lambda *_: {}
    """The function that returns those of a deployment, or None if it does not have the rule."""
    is_broken: Callable[..., bool] | None = None
    """Whether a `Candidate` breaks it, given the params; None if that is checked elsewhere."""
    details: Callable[[Candidate], Params] = lambda _: {}
    """The function that returns more params of the error, about a password that breaks it."""
    of_pool: bool = False
    """The rule belongs to the pool's policy. The others are the service's own."""

    def error(self, params: Params) -> FieldError:
        """Return the error of a password that breaks the rule. It repeats no forbidden word."""
        told = {name: value for name, value in params.items() if isinstance(value, int | str)}
        return FieldError("#/newPassword", self.name, self.detail.format(**told), told)


def _number(name: str, member: str) -> Callable[[Policy, Runtime], Params | None]:
    """Return the params of a rule that a policy sets by a number."""
    return lambda policy, _: {name: policy[member]} if policy.get(member) else None


def _characters(name: str, member: str, pattern: str, predicate: str) -> Rule:
    """Return a rule of Cognito's about characters. Those of other alphabets do not count."""
    return Rule(
        name,
        f"The password must contain {predicate}.",
        lambda policy, _: {} if policy.get(member) else None,
        lambda new: not re.search(pattern, new.text),
        of_pool=True,
    )


def _find_name(new: Candidate) -> str:
    """Return the name, or the part of an address before the `@`, that a password contains."""
    text = _fold(new.text)
    for name in new.names:
        # A phone number begins with a plus, which few people type.
        for part in (name.rpartition("@")[0], name.lstrip("+")):
            folded = _fold(part)
            pattern = re.escape(folded)
            if len(folded) < MIN_PART:
                pattern = rf"(?<!{_LETTER}){pattern}(?!{_LETTER})"
            if len(folded) >= MIN_NAME and re.search(pattern, text):
                return part
    return ""


def _contains_word(new: Candidate, words: Collection[str]) -> bool:
    text, *forbidden = (_fold(one).translate(LOOK_ALIKES) for one in (new.text, *words))
    # A word of invisible characters would be in every password.
    return any(word in text for word in forbidden if word)


def _fold(text: str) -> str:
    """Return text to compare by. A password itself is never changed (ASVS 6.2.8).

    Full-width and circled letters become plain ones (NFKC), and invisible characters disappear.
    JavaScript has no `casefold`, but the same upper and lower case. Each letter is lowered by
    itself, because a sigma at the end of a word would become another letter.
    """
    visible = (one for one in _INVISIBLE.sub("", text) if unicodedata.category(one) != "Cf")
    upper = unicodedata.normalize("NFKC", "".join(visible)).upper()
    return "".join(character.lower() for character in upper)


MIN_LENGTH: Final = Rule(
    "minLength",
    "The password must have at least {minimum} characters.",
    _number("minimum", "MinimumLength"),
    lambda new, minimum: len(new.text) < minimum,
    of_pool=True,
)
BREACHED: Final = Rule(
    "breached",
    "This password has appeared in a data breach. Choose a different one.",
    lambda _, settings: {} if settings.breach_endpoint else None,
)
# Only Cognito knows whether these are broken. The problem of the first is `password-used-before`.
USED_BEFORE: Final = Rule(
    "usedBefore",
    "The password must differ from your last {size} passwords.",
    _number("size", "PasswordHistorySize"),
    of_pool=True,
)
OTHER_REASON: Final = Rule(
    "otherReason",
    "This password was refused for another reason. It may be known to attackers. Choose a"
    " different one.",
    lambda *_: None,
    of_pool=True,
)
RULES: Final = (
    MIN_LENGTH,
    # A request with such a password is refused before the others are checked.
    Rule(
        "maxLength",
        "The password must have at most {maximum} characters.",
        lambda *_: {"maximum": Password.max_length},
    ),
    Rule("pattern", f"The password {UNPRINTABLE}."),
    Rule(
        "replacementCharacter",
        "The password must not contain characters that were not sent correctly (U+FFFD).",
    ),
    Rule(
        "invisibleCharacter",
        "The password must not contain invisible characters, which you could not type again.",
    ),
    _characters("requireLowercase", "RequireLowercase", "[a-z]", "a lowercase letter (a to z)"),
    _characters("requireUppercase", "RequireUppercase", "[A-Z]", "an uppercase letter (A to Z)"),
    _characters("requireNumbers", "RequireNumbers", "[0-9]", "a digit"),
    _characters(
        "requireSymbols",
        "RequireSymbols",
        f"[{re.escape(_SYMBOLS)}]",
        "a special character, such as a hyphen or a full stop",
    ),
    Rule(
        "edgeSpace",
        "The password must not begin or end with a space.",
        is_broken=lambda new: new.text != new.text.strip(),
    ),
    Rule(
        "containsUsername",
        'The password must not contain "{part}" from your username, email address or phone number.',
        is_broken=lambda new: bool(_find_name(new)),
        details=lambda new: {"part": _find_name(new)},
    ),
    Rule(
        "sameAsOld",
        "The new password must differ from the current one.",
        is_broken=lambda new: new.text == new.old,
    ),
    Rule(
        "forbiddenWord",
        "The password must not contain words that are easy to guess, such as our name.",
        lambda _, settings: {"words": words} if (words := settings.forbidden_words) else None,
        _contains_word,
    ),
    # Only if no rule above is broken.
    BREACHED,
    USED_BEFORE,
    OTHER_REASON,
)


def enforced_rules(policy: Policy, settings: Runtime) -> Iterator[tuple[Rule, Params]]:
    """Yield each rule of a deployment with its params."""
    for rule in RULES:
        params = rule.params(policy, settings)
        if params is not None:
            yield rule, params


class Passwords:
    """The checks of new passwords, as one request uses them."""

    def __init__(self, settings: Runtime, record: Record, cognito: Cognito) -> None:
        self._settings = settings
        self._record = record
        self._cognito = cognito

    def check_rules(
        self,
        password: str,
        names: Collection[str],
        *,
        old: str | None = None,
        needs_policy: bool = False,
    ) -> None:
        """Raise one `Failure` that lists every rule that the new password breaks.

        `names` are those that the user signs in by. A caller who is not signed in `needs_policy`:
        as long as the pool was never read, they are refused, because Cognito might apply its policy
        only to existing users. For others, it does so later.
        """
        pool = self._cognito.describe_pool()
        if pool is None:
            if needs_policy:
                raise POLICY_UNREADABLE.failure()
            pool = Pool({}, remembers_devices=False)
        new = Candidate(password, names, old)
        errors = [
            rule.error({**params, **rule.details(new)})
            for rule, params in enforced_rules(pool.policy, self._settings)
            if rule.is_broken and rule.is_broken(new, **params)
        ]
        if errors:
            raise Failure(PASSWORD_REFUSED, errors)

    def explain(self, problem: Problem) -> list[FieldError]:
        """Return the broken rule if Cognito has refused a password that met all of ours."""
        if problem is PASSWORD_REFUSED:
            return [OTHER_REASON.error({})]
        pool = self._cognito.describe_pool() if problem is PASSWORD_USED_BEFORE else None
        params = USED_BEFORE.params(pool.policy, self._settings) if pool else None
        return [USED_BEFORE.error(params)] if params else []

    def check_breaches(self, password: str) -> None:
        """Raise a `Failure` if the password appeared in a data breach."""
        endpoint = self._settings.breach_endpoint
        is_known = breaches.contain(endpoint, password) if endpoint else False
        if is_known is None:
            self._record.degrade(Degradation.BREACH_CHECK_FAILED)
        if is_known:
            raise Failure(PASSWORD_REFUSED, [BREACHED.error({})])
