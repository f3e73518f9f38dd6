"""The rules for a new password, all checked at once and for every username alike."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from functions.aws.cognito import Cognito, Pool
from functions.fields import Password
from functions.outcomes import POLICY_UNREADABLE, USERNAME_IS_A_SUB
from functions.problems import INVALID_REQUEST, PASSWORD_REFUSED, REQUEST_RULES, Failure, FieldError
from functions.protection import breaches
from functions.records import Degradation, Record
from functions.settings import Runtime

type Params = Mapping[str, Any]
type Policy = Mapping[str, Any]
"""A pool's policy in Cognito's terms."""

_MIN_NAME: Final = 3
"""Characters. Too many good passwords contain a shorter name by chance."""
LOOK_ALIKES: Final = str.maketrans("01!|i34@5$78", "olllleaasstb")
"""Characters that people write instead of a letter. `make docs` gives the client the same table."""
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
"""Together with the category Cf, Unicode's Default_Ignorable_Code_Point: what shows nothing."""
_SYMBOLS: Final = "^$*.[]{}()?!@#%&/,><:;|_~`=+- " + "\"'" + chr(92)


class NewPassword(NamedTuple):
    """A new password, with the names and the old password that it must not contain."""

    text: str
    names: Collection[str]
    old: str


class Rule(NamedTuple):
    """A rule. `errors`, the policy's response and the client use its name."""

    name: str
    detail: str
    """The sentence for users, with `params` in braces."""
    params: Callable[[Policy, Runtime], Params | None] = lambda *_: {}
    """The function that returns those of a deployment, or None if it does not have the rule."""
    is_broken: Callable[..., bool] | None = None
    """Whether a `NewPassword` breaks it, given the params; None if that is checked elsewhere."""
    of_pool: bool = False
    """The rule belongs to the pool's policy. The others are the service's own."""

    def error(self, params: Params) -> FieldError:
        """Return the error of a password that breaks the rule. It repeats no forbidden word."""
        numbers = {name: value for name, value in params.items() if isinstance(value, int)}
        return FieldError("#/newPassword", self.name, self.detail.format(**numbers), numbers)


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


def _contains_name(new: NewPassword) -> bool:
    # A phone number begins with a plus, which few people type.
    names = {part for name in new.names for part in (name.lstrip("+"), name.rpartition("@")[0])}
    return any(part in _fold(new.text) for part in map(_fold, names) if len(part) >= _MIN_NAME)


def _contains_word(new: NewPassword, words: Collection[str]) -> bool:
    text, *forbidden = (_fold(one).translate(LOOK_ALIKES) for one in (new.text, *words))
    # A word of invisible characters would be in every password.
    return any(word in text for word in forbidden if word)


def _fold(text: str) -> str:
    """Return text to compare by. A password itself is never changed (ASVS 6.2.8).

    Full-width and circled letters become plain ones (NFKC), and invisible characters disappear.
    JavaScript has no `casefold`, but the same upper and lower case. Each letter is lowered alone,
    because a sigma at the end of a word would become another letter.
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
RULES: Final = (
    MIN_LENGTH,
    # A request with such a password is refused before the others are checked.
    Rule(
        "maxLength",
        "The password must have at most {maximum} characters.",
        lambda *_: {"maximum": Password.max_length},
    ),
    Rule("pattern", f"The password must not contain {Password.refused_are}."),
    Rule(
        "replacementCharacter",
        "The password must not contain characters that were not sent correctly (U+FFFD).",
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
        "The password must not contain your username, email address or phone number.",
        is_broken=_contains_name,
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
    # Only Cognito knows. The problem is then `password-used-before`.
    Rule(
        "usedBefore",
        "The password must differ from your last {size} passwords.",
        _number("size", "PasswordHistorySize"),
        of_pool=True,
    ),
)
SIGN_IN_NAME: Final = "signInName"
"""The rule about the username of a caller who is not signed in."""


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
        self, password: str, names: Collection[str], *, old: str = "", typed_name: str = ""
    ) -> None:
        """Raise one `Failure` that lists every rule that the new password or the name breaks.

        `names` are those that the user signs in by, and `typed_name` is the one that a caller who
        is not signed in typed. As long as the pool was never read, such a caller is refused,
        because Cognito might apply its policy only to existing users. For others, it does so later.
        """
        pool = self._cognito.describe_pool()
        if pool is None:
            if typed_name:
                raise POLICY_UNREADABLE.failure()
            pool = Pool({}, ())
        new = NewPassword(password, names, old)
        errors = [
            rule.error(params)
            for rule, params in enforced_rules(pool.policy, self._settings)
            if rule.is_broken and rule.is_broken(new, **params)
        ]
        if not self._cognito.is_sign_in_name(typed_name):
            # An outcome of its own, because Cognito's error of the same code is hidden.
            errors = [_NOT_A_SIGN_IN_NAME, *errors]
            raise Failure(INVALID_REQUEST, errors, outcome=USERNAME_IS_A_SUB)
        if errors:
            raise Failure(PASSWORD_REFUSED, errors)

    def check_name(self, typed_name: str) -> None:
        """Raise a `Failure` if users cannot sign in by a name like this."""
        if not self._cognito.is_sign_in_name(typed_name):
            raise Failure(INVALID_REQUEST, [_NOT_A_SIGN_IN_NAME], outcome=USERNAME_IS_A_SUB)

    def check_breaches(self, password: str) -> None:
        """Raise a `Failure` if the password appeared in a data breach."""
        endpoint = self._settings.breach_endpoint
        is_known = breaches.contain(endpoint, password) if endpoint else False
        if is_known is None:
            self._record.degrade(Degradation.BREACH_CHECK_FAILED)
        if is_known:
            raise Failure(PASSWORD_REFUSED, [BREACHED.error({})])


_NOT_A_SIGN_IN_NAME: Final = FieldError("#/username", SIGN_IN_NAME, REQUEST_RULES[SIGN_IN_NAME])
