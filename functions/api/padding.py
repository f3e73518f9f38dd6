"""Pad responses, so that their timing does not reveal accounts (ASVS 6.3.8)."""

from functions import times


def pad(started: float, interval: float) -> float:
    """Sleep until the next multiple of the interval, and return the seconds slept.

    `started` is a time of the clock's `monotonic`.
    """
    clock = times.current().clock
    seconds = -(clock.monotonic() - started) % interval if interval else 0.0
    clock.sleep(seconds)
    return seconds
