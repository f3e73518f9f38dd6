"""One reset of a name within a pause.

Without it, resets of an account that is slow to reset would hold every worker, and the delay of
everybody's codes would tell that the account exists.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from functions import times
from functions.aws import clients
from functions.aws.table import ConditionFailedError, Table
from functions.outcomes import RESET_REPEATED
from functions.problems import Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Caller, Subject
from functions.settings import Runtime

_MINE: Final = "message_id = :message_id"
_FREE: Final = f"attribute_not_exists(id) OR expiration <= :now OR {_MINE} OR told = :lower"
"""The condition of a reset: no other message has the name, or the user was told its lower case."""


class Pauses:
    """The names that were reset a moment ago, as one message uses them."""

    def __init__(self, settings: Runtime, record: Record, caller: Caller, table: Table) -> None:
        self._settings = settings
        self._record = record
        self._table = table
        self._mine = {"message_id": {"S": caller.message_id}}
        self._taken = ""

    def take(self, subject: Subject) -> None:
        """Take a name for `code_pause` seconds, or raise a `Failure` if another message has it.

        A retry has the same message ID, which SQS chooses and no caller. If the table fails, the
        name counts as free.
        """
        pause = self._settings.code_pause
        if not pause:
            return
        hashed = keyed_hash(self._settings.pseudonym_key, "pause", subject.key.casefold())
        id_, now = f"pause#{hashed}", times.now()
        lower = {"BOOL": subject.username == subject.username.lower()}
        item = {"expiration": {"N": f"{math.ceil(now + pause)}"}, **self._mine}
        try:
            self._table.put(id_, item, _FREE, lower=lower, now={"N": f"{now:.3f}"}, **self._mine)
        except ConditionFailedError:
            raise RESET_REPEATED.failure() from None
        except clients.ERRORS:
            self._record.degrade(Degradation.LIMITS_FAILED)
        self._taken = id_

    @contextmanager
    def free_on_failure(self) -> Iterator[None]:
        """Free the name if the block fails for a reason that no account can cause.

        The block must do the same for every account. Otherwise one kind of account would be freed,
        would be reset again, and would hold more workers than another kind.
        """
        try:
            yield
        except Failure as failure:
            if failure.outcome.frees_name:
                self._change("expiration", {"N": f"{math.floor(times.now())}"})
            raise

    def tell(self) -> None:
        """Let the name be reset once more in lower case, as its user is told to write it."""
        self._change("told", {"BOOL": True})

    def _change(self, name: str, new: Mapping[str, Any]) -> None:
        """Change the item of the name, unless another message has it by now."""
        if not self._taken:
            return
        try:
            with suppress(ConditionFailedError):
                self._table.update(self._taken, f"SET {name} = :new", _MINE, new=new, **self._mine)
        except clients.ERRORS:
            self._record.degrade(Degradation.LIMITS_FAILED)
