"""Work whose parts do not need each other's results, done at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, cast

from functions.problems import Failure

MOST: Final = 10
"""Threads, as many as botocore keeps connections of a client."""


def run_all[T](works: Sequence[Callable[[], T]]) -> list[T]:
    """Return the results in the order of the works, or raise the first failure in that order.

    A crash comes before any `Failure`, so that none is lost. Nothing is still running then: Lambda
    would freeze it after the response. Each thread has a copy of this one's context: its clock,
    deadline and trace.
    """
    if not works:
        return []
    with ThreadPoolExecutor(min(len(works), MOST)) as pool:
        running = [pool.submit(copy_context().run, work) for work in works]
    failures = list(filter(None, map(Future.exception, running)))
    try:
        if failures:
            raise min(failures, key=lambda one: isinstance(one, Failure))
        return list(map(Future.result, running))
    finally:
        # A traceback has this frame. If that kept the failure, nothing would free its passwords.
        failures.clear()
        running.clear()


def run_both[A, B](one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Do the same for two works of different types."""
    works: Sequence[Callable[[], A | B]] = (one, other)
    return cast("tuple[A, B]", tuple(run_all(works)))
