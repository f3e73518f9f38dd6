"""Padding, so that the time of a response does not tell accounts apart (ASVS 6.3.8)."""

import time


def pad(started: float, step: float) -> None:
    """Sleep until the next multiple of the step, in seconds of `time.monotonic`."""
    if step:
        time.sleep(-(time.monotonic() - started) % step)
