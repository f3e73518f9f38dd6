"""One reset of a name at a time, with a pause after it.

Without it, resets of an account that is slow to reset would hold every worker, and the delay of
everybody's codes would tell that the account exists.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from functions import times
from functions.aws import clients
from functions.aws.table import ConditionFailedError, Table
from functions.outcomes import RESET_REPEATED
from functions.problems import Failure
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Caller
from functions.settings import Runtime

_FREE: Final = "attribute_not_exists(id) OR expiration <= :now OR message_id = :message_id"
"""The condition of a reset: no other message has taken the name, or its pause is over."""


class Pauses:
    """The names that were reset a moment ago, as one message uses them."""

    def __init__(self, settings: Runtime, record: Record, caller: Caller, table: Table) -> None:
        self._settings = settings
        self._record = record
        self._caller = caller
        self._table = table

    @contextmanager
    def take(self, name: str) -> Iterator[None]:
        """Take a name for `code_pause` seconds, or raise a `Failure` if another message has it.

        A retry has the same message ID, which SQS chooses and no caller. The name is freed early
        only by failures that no account can cause: freeing it after the others would let a slow
        account hold a second worker. If the table fails, the name counts as free.
        """
        pause = self._settings.code_pause
        if not pause:
            yield
            return
        hashed = keyed_hash(self._settings.pseudonym_key, "pause", name.casefold())
        id_, now = f"pause#{hashed}", times.now()
        message = {"S": self._caller.message_id}
        item = {"expiration": {"N": f"{math.ceil(now + pause)}"}, "message_id": message}
        try:
            self._table.put(id_, item, _FREE, now={"N": f"{now:.3f}"}, message_id=message)
        except ConditionFailedError:
            raise RESET_REPEATED.failure() from None
        except clients.ERRORS:
            self._record.degrade(Degradation.LIMITS_FAILED)
        try:
            yield
        except Failure as failure:
            if failure.outcome.frees_name:
                self._free(id_, message)
            raise

    def _free(self, id_: str, message: dict[str, str]) -> None:
        """End the pause of this message, if it still has the name."""
        mine, over = "message_id = :message_id", {"N": f"{math.floor(times.now())}"}
        try:
            with suppress(ConditionFailedError):
                self._table.update(
                    id_, "SET expiration = :over", mine, over=over, message_id=message
                )
        except clients.ERRORS:
            self._record.degrade(Degradation.LIMITS_FAILED)
