"""Limits that are the same for known and unknown users, because they count before Cognito acts.

The table holds keyed hashes instead of names and addresses. Windows are fixed, so up to twice a
limit can pass around the boundary of two windows; each key's windows begin at another time.

Support clears a user's limits without finding the counts, of which there is one for each address:
it leaves a mark. Only an attempt that would be refused reads the mark, and counts in an item of its
own if the mark is of the same window. So nobody else pays for it, as all would for an index.
"""

import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

from functions import outcomes, problems, times
from functions.aws import clients
from functions.aws.events import Events, EventType
from functions.aws.table import ConditionFailedError, Table
from functions.operations import Operation
from functions.problems import Failure, Problem
from functions.protection.pseudonyms import keyed_hash
from functions.records import Degradation, Record
from functions.requests import Caller, Subject
from functions.settings import Runtime
from functions.threads import run_all

WINDOW: Final = 3600
"""Seconds."""
REFUSALS_BEFORE_EVENT: Final = 10
"""Refused attempts of one user in a window that cause an event."""
FAILURES_BEFORE_EVENT: Final = 30
"""Failed attempts of one user in a window, from all addresses together, that cause an event. By
default, one address may fail ten times."""

ADDRESSES_BY_SERVERS: Final = 3
"""The addresses from which a user may use up all attempts, if servers name the addresses: anyone
who has stolen a server's secret can name any."""

_NAT64: Final = IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48")
"""The prefixes before a translated IPv4 address (RFC 6052, RFC 8215)."""


class _Limit(NamedTuple):
    """The attempts that one item counts, and the problem of the next one."""

    item: str
    seconds: int
    """Until the window ends."""
    most: int
    problem: Problem


@dataclass
class Limits:
    """The counts, as one request uses them."""

    settings: Runtime
    record: Record
    caller: Caller
    subject: Subject
    table: Table
    events: Events

    _taken: list[_Limit] = field(default_factory=list)
    """The limits from which the attempt has taken."""
    _refuses_user: bool = False

    def count(self, operation: Operation) -> None:
        """Count one attempt, or raise a `Failure` that says when the next one is allowed.

        Signed-in users are counted per user; everyone else per user and IP address, so that nobody
        can lock a user out from another address. Every attempt is counted before it is carried out,
        because of many at once no more than the limit may pass. All counts of an attempt are made
        at the same time, and one that refuses gives back what the others took.
        """
        counted = run_all(*(partial(self._take, limit) for limit in self._limits(operation)))
        self._taken = [limit for limit, attempts in counted if attempts]
        for limit, attempts in counted:
            if attempts == 0:
                self.give_back()
                self._refuses_user = limit.problem is problems.ATTEMPTS_EXCEEDED
                problem = limit.problem._replace(retry_after=limit.seconds)
                raise Failure(problem, outcome=outcomes.ATTEMPTS_LIMIT)

    def _take(self, limit: _Limit) -> tuple[_Limit, int | None]:
        """Count one attempt, and return the limit that has it, and what `_add` returned."""
        attempts = self._add(limit.item, limit.most)
        of_user = limit.problem is problems.ATTEMPTS_EXCEEDED
        if attempts == 0 and of_user and (mark := self._find_mark(limit.seconds)):
            limit = limit._replace(item=f"{limit.item}#{mark}")
            attempts = self._add(limit.item, limit.most)
        return limit, attempts

    def clear(self, names: Iterable[str]) -> None:
        """Let the user with these names try as often as in a new window, at every address."""
        marks = [self._mark(Subject(username=one)) for one in names]
        if None in run_all(*(partial(self._add, mark, sys.maxsize) for mark in marks)):
            raise outcomes.LIMITS_FAILED.failure()

    def _find_mark(self, seconds: int) -> str:
        """Return the number of a mark in the window with this number of seconds left, if any."""
        try:
            mark = self.table.get(self._mark(self.subject))
        except clients.ERRORS:
            self.record.degrade(Degradation.LIMITS_FAILED)
            return ""
        # A mark expires a whole window after it was left.
        is_new = mark and float(mark["expiration"]["N"]) >= times.now() + seconds
        return mark["attempts"]["N"] if is_new else ""

    def _mark(self, subject: Subject) -> str:
        return f"cleared#{keyed_hash(self.settings.pseudonym_key, 'cleared', subject.key)}"

    def give_back(self) -> None:
        """Give back what turns out to be no attempt, such as one that never reached Cognito."""
        taken, self._taken = self._taken, []
        give = partial(self._update, condition="attempts > :bound", amount=-1, bound=0)
        run_all(*(partial(give, limit.item) for limit in taken))

    def forgive(self) -> None:
        """Give back what a password that was changed took from its address and network."""
        problem = problems.NETWORK_ATTEMPTS_EXCEEDED
        self._taken = [limit for limit in self._taken if limit.problem is problem]
        self.give_back()

    def _limits(self, operation: Operation) -> Iterator[_Limit]:
        settings, user = self.settings, self.subject.key
        if not settings.limits:
            return
        most = settings.attempts_per_hour(operation)
        if operation.signed_in:
            yield _Limit(*self._window(operation.id, user), most, problems.ATTEMPTS_EXCEEDED)
            return
        address, *wider = self._networks()
        own = self._window(operation.id, user, address)
        yield _Limit(*own, most, problems.ATTEMPTS_EXCEEDED)
        if self.caller.by_server:
            every = self._window(operation.id, user, "servers")
            yield _Limit(*every, ADDRESSES_BY_SERVERS * most, problems.ATTEMPTS_EXCEEDED)
        mosts = settings.attempts_per_address, settings.attempts_per_network
        for network, most_there in zip((address, *wider), mosts, strict=False):
            window = self._window(operation.id, network)
            yield _Limit(*window, most_there, problems.NETWORK_ATTEMPTS_EXCEEDED)

    def _networks(self) -> list[str]:
        """Return what counts as the caller's address, and the network around it if it is IPv6."""
        address, settings = self.caller.source_ip, self.settings
        try:
            ip = _unmap(ip_address(address))
        except ValueError:
            return [address]  # The console of API Gateway sends `test-invoke-source-ip`.
        if isinstance(ip, IPv4Address):
            return [str(ip)]
        prefixes = settings.ipv6_address_prefix, settings.ipv6_network_prefix
        return [str(IPv6Network((int(ip), prefix), strict=False)) for prefix in prefixes]

    def count_refusal(self, operation: Operation) -> None:
        """Count a refused attempt of a user at any address, and put one event if there are many.

        A refusal by the limit of a network says nothing about the user.
        """
        if not self._refuses_user:
            return
        item, _ = self._window("refusals", operation.id, self.subject.key)
        if self._add(item, REFUSALS_BEFORE_EVENT) == REFUSALS_BEFORE_EVENT:
            detail = self.events.describe(self.subject)
            self.events.announce(EventType.ATTEMPTS_EXCEEDED, detail)

    def count_failure(self, operation: Operation) -> None:
        """Count a failed attempt of a user at any address, and put one event if there are many.

        That refuses nobody, because it would lock the user out. Only a caller who failed waits for
        the count, and the response to a failure is padded anyway.
        """
        if not self._taken:  # nothing is counted, or the table fails
            return
        item, _ = self._window("failures", operation.id, self.subject.key)
        if self._add(item, FAILURES_BEFORE_EVENT) == FAILURES_BEFORE_EVENT:
            self.record.failed_repeatedly = True
            detail = self.events.describe(self.subject)
            self.events.announce(EventType.ATTEMPTS_FAILED, detail)

    def spend(self, budget: str, most: int) -> bool:
        """Count one of `most` for all users; return False if none is left or the table fails."""
        item, _ = self._window("budget", budget)
        return bool(self._add(item, most))

    def _window(self, *parts: str) -> tuple[str, int]:
        """Return the item of the current window, and the seconds until it ends."""
        key = keyed_hash(self.settings.pseudonym_key, "limits", *parts)
        window, elapsed = divmod(times.now() + int(key[:8], 16) % WINDOW, WINDOW)
        return f"limit#{key}#{window:.0f}", math.ceil(WINDOW - elapsed)

    def _add(self, item: str, most: int) -> int | None:
        """Add one. Return the new count, 0 if `most` was reached, or None if the table failed."""
        condition = "attribute_not_exists(attempts) OR attempts < :bound"
        return self._update(item, condition, amount=1, bound=most)

    def _update(self, item: str, condition: str, *, amount: int, bound: int) -> int | None:
        try:
            attributes = self.table.update(
                item,
                "ADD attempts :amount SET expiration = :expiration",
                condition,
                amount={"N": str(amount)},
                bound={"N": str(bound)},
                expiration={"N": f"{times.now() + WINDOW:.0f}"},
            )
        except ConditionFailedError:
            return 0
        except clients.ERRORS:
            self.record.degrade(Degradation.LIMITS_FAILED)
            return None
        return int(attributes["attempts"]["N"])


def _unmap(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, or else the address itself."""
    if isinstance(ip, IPv4Address):
        return ip
    last = int(ip) & 0xFFFFFFFF
    # Without them, the IPv4 address is elsewhere, as RFC 6052 allows in the second network.
    if last and any(ip in network for network in _NAT64):
        return IPv4Address(last)
    return ip.ipv4_mapped or ip
