"""The part of the JavaScript client that the service declares: tables and words."""

import json
from typing import Final

from apidocs import ROOT
from apidocs.languages import CLIENT
from functions.fields import INVISIBLE, NewPassword
from functions.names import DASH, DASHES
from functions.operations import SCOPE
from functions.problems import OUTCOME_UNKNOWN
from functions.protection.idempotency import LIFETIME
from functions.protection.passwords import LOOK_ALIKES, MIN_NAME, MIN_PART

FILE: Final = "web/password-service.js"
_BEGIN: Final = "// BEGIN: `make docs` writes this part.\n"
_END: Final = "// END\n"
_PART: Final = """\

/** Characters that usernames and codes lose. */
const INVISIBLE = '[{invisible}]';

/** Characters that a code of digits loses as well. */
const DASHES = '[{dash}]';

/** Characters that nobody could type again, by the rule that refuses them in a new password. */
const UNREPEATABLE = {{
{unrepeatable}
}};

/** Characters that people write instead of a letter. @type {{Record<string, string>}} */
const LOOK_ALIKES = {look_alikes};

/** Characters. A shorter name is refused only as a word of its own, or never. */
const [MIN_NAME, MIN_PART] = [{min_name}, {min_part}];

/** The scope that an access token must have. */
const SCOPE = '{scope}';

/** Milliseconds for which the service keeps the outcome of an `Idempotency-Key`. */
const LIFETIME = {lifetime};

/** The English words for requests to which the service did not respond. */
const WORDS = {words};

"""


def write_client() -> str:
    """Return the client with a current part between the two comments."""
    before, _, rest = (ROOT / FILE).read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    unknown = {
        "detail": OUTCOME_UNKNOWN.detail,
        "recoverySuggestion": OUTCOME_UNKNOWN.recovery_suggestion,
    }
    part = _PART.format(
        invisible="".join(map(_category, INVISIBLE)),
        dash=_category(DASH) + "".join(f"\\\\u{ord(one):04x}" for one in DASHES),
        unrepeatable="\n".join(
            f"  {rule}: /[{characters}]/," for rule, characters in NewPassword.unrepeatable.items()
        ),
        min_name=MIN_NAME,
        min_part=MIN_PART,
        scope=SCOPE,
        look_alikes=_write({chr(one): chr(letter) for one, letter in LOOK_ALIKES.items()}),
        lifetime=1000 * LIFETIME,
        words=_write(CLIENT | {OUTCOME_UNKNOWN.slug: unknown}),
    )
    return f"{before}{_BEGIN}{part}{_END}{after}"


def _category(name: str) -> str:
    return rf"\\p{{{name}}}"


def _write(table: object) -> str:
    return json.dumps(table, indent=2, ensure_ascii=False)
