"""Do once what is asked for twice: a request with a key, or a task of the worker.

The table has one item for each, whose key reveals nothing about it. The item says until when it may
be in progress, and how it ended: with success, or with an unknown outcome.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from functions import times
from functions.aws import clients
from functions.aws.table import ConditionFailedError, Table
from functions.problems import OUTCOME_UNKNOWN, REQUEST_IN_PROGRESS, Failure, Outcome
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Body, Caller
from functions.settings import Runtime
from functions.threads import run_both

LIFETIME: Final = 3600
"""Seconds for which the outcome of a request is kept."""

_FREE: Final = (
    "attribute_not_exists(id) OR expiration < :now"
    " OR (attribute_not_exists(outcome) AND in_progress_until < :now)"
)
"""The condition of a new attempt: nothing is stored, it has expired, or its function was killed."""


class Idempotency:
    """The stored outcomes, as one request or message uses them."""

    def __init__(self, settings: Runtime, record: Record, caller: Caller, table: Table) -> None:
        self._settings = settings
        self._record = record
        self._caller = caller
        self._table = table
        self._running = ""
        """The item of what is being carried out and has no outcome yet."""

    def run_once(
        self,
        act: Callable[[], Body],
        purpose: str,
        *parts: str,
        lifetime: int,
        keeps_unknown: bool = False,
        admit: Callable[[], None] = lambda: None,
        withdraw: Callable[[], None] = lambda: None,
    ) -> Body:
        """Act, unless that was done for the same `parts` within the `lifetime`, in seconds.

        A failure of `admit` is a failure to act. It runs while the table is asked, and `withdraw`
        undoes it if this is a repeat. Of failures, only an unknown outcome is stored, if the caller
        must learn of it and nothing may be done twice: `keeps_unknown`. If the function is killed,
        it stays in progress until Lambda would have stopped it, and can be repeated after that. If
        the table fails, it is done without.
        """
        id_ = f"{purpose}#{keyed_hash(self._settings.pseudonym_key, purpose, *parts)}"
        refusal, earlier = run_both(partial(_catch, admit), partial(self._begin, id_, lifetime))
        if earlier is not None:
            withdraw()
            return self._repeat(earlier)
        self._running = id_
        try:
            if refusal:
                raise refusal  # noqa: TRY301 - as if `act` had raised it
            body = act()
        except Exception as error:
            if not self._running:  # what crashed follows a success
                raise
            self._running = ""
            with self._best_effort():
                if (
                    keeps_unknown
                    and isinstance(error, Failure)
                    and error.problem is OUTCOME_UNKNOWN
                ):
                    self._end(id_, {"unknown": error.outcome.cause})
                else:
                    self._table.delete(id_)
            raise
        finally:
            refusal = None  # whose traceback has this frame
        self.succeed(body)
        return body

    def succeed(self, body: Body = None) -> None:
        """Store the success, if that has not been done.

        An operation that calls it while it still works must return no body: a repeat has none.
        """
        id_, self._running = self._running, ""
        if id_:
            with self._best_effort():
                self._end(id_, {"body": body})

    @contextmanager
    def _best_effort(self) -> Iterator[None]:
        try:
            yield
        except (*clients.ERRORS, ConditionFailedError):
            self._record.degrade(Degradation.IDEMPOTENCY_FAILED)

    def _begin(self, id_: str, lifetime: int) -> Mapping[str, Any] | None:
        """Store an item as in progress, or return the existing one, if the table can be asked."""
        now, attempt = times.now(), {"S": os.urandom(8).hex()}
        item = {
            "expiration": {"N": f"{now + lifetime:.0f}"},
            "in_progress_until": {"N": f"{now + self._caller.seconds_left:.3f}"},
            "attempt": attempt,
        }
        with self._best_effort():
            try:
                self._table.put(id_, item, _FREE, now={"N": f"{now:.3f}"})
            except ConditionFailedError as error:
                # botocore repeats a call whose response is lost, which then finds its own item.
                return None if error.item.get("attempt") == attempt else error.item
        return None

    def _end(self, id_: str, outcome: Mapping[str, object]) -> None:
        """Store the outcome."""
        self._table.update(id_, "SET outcome = :outcome", outcome={"S": json.dumps(outcome)})

    def _repeat(self, item: Mapping[str, Any]) -> Body:
        """Return or raise the stored outcome."""
        if "outcome" not in item:
            raise Failure(REQUEST_IN_PROGRESS)
        self._record.repeated = True
        outcome = json.loads(item["outcome"]["S"])
        if "unknown" in outcome:
            raise Outcome(outcome["unknown"], OUTCOME_UNKNOWN).failure()
        body: Body = outcome["body"]
        return body


def _catch(work: Callable[[], None]) -> Exception | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the caller raises it
        return error
    return None
