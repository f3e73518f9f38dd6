"""The clock and the time limits that a handler works with. Tests give it others."""

import time
from contextvars import ContextVar
from math import inf
from typing import Final, NamedTuple, Protocol


class Clock(Protocol):
    """The functions of the module `time` that decide something."""

    def time(self) -> float:
        """Return the seconds since the epoch."""

    def monotonic(self) -> float:
        """Return seconds that are never put back."""

    def sleep(self, seconds: float, /) -> None:
        """Let the seconds pass."""


class Times(NamedTuple):
    """A clock, and time limits in seconds."""

    clock: Clock = time
    breaches: float = 1.0
    """For the whole breach lookup: name server, connection, and the last byte of the response."""
    idle: float = 2.0
    """The wall-clock time after which a kept connection is not used again.

    Lambda freezes a process between two calls, and networks drop connections that are idle. A
    request on a dead connection would fail without being answered, and a change must not be sent
    twice.
    """
    retries: float = 6.0
    """The time after the start of a request within which calls may be retried."""
    start: float = 3.0
    """The time within which a start retries what failed. Lambda gives up after ten."""
    read: float | None = None
    """The read time-out of every AWS client, instead of the client's own."""


_REAL: Final = Times()
_times: Final = ContextVar("times", default=_REAL)
_deadline: Final = ContextVar("deadline", default=inf)


def begin(times: Times, seconds: float) -> None:
    """Use this clock and these limits from now on, and retry nothing after the seconds."""
    _times.set(times)
    _deadline.set(times.clock.monotonic() + seconds)


def current() -> Times:
    """Return the clock and the limits of the work in progress."""
    return _times.get()


def is_over() -> bool:
    """Return whether it is too late for a retry."""
    return current().clock.monotonic() > _deadline.get()
