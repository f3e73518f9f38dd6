"""Pad responses, so that their timing does not reveal accounts (ASVS 6.3.8)."""

import time


def pad(started: float, interval: float) -> float:
    """Sleep until the next multiple of the interval, and return the seconds slept.

    `started` is a time of `time.monotonic`.
    """
    seconds = -(time.monotonic() - started) % interval if interval else 0.0
    time.sleep(seconds)
    return seconds
