"""Work whose parts do not need each other's results, done at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, cast

from functions.problems import Failure

MOST: Final = 10
"""Threads, as many as botocore keeps connections of a client."""


def run_all[T](*works: Callable[[], T]) -> list[T]:
    """Return the results in the order of the works, or raise the first failure in that order.

    A crash comes before any `Failure`, so that none is lost. Nothing is still running then: Lambda
    would freeze it after the response. The first work stays in this thread, and the others have
    threads with a copy of its context: its clock, deadline and trace.
    """
    if not works:
        return []
    with ThreadPoolExecutor(MOST) as pool:
        running = [Future[T](), *(pool.submit(copy_context().run, work) for work in works[1:])]
        try:
            running[0].set_result(works[0]())
        except Exception as error:  # noqa: BLE001 - raised below, when the others have ended
            running[0].set_exception(error)
    failures = list(filter(None, map(Future.exception, running)))
    try:
        if failures:
            raise min(failures, key=lambda one: isinstance(one, Failure))
        return list(map(Future.result, running))
    finally:
        # A traceback has this frame. If that kept the failure, nothing would free its passwords.
        failures.clear()
        running.clear()


def run_both[A, B](first: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Do the same for two works of different types."""
    works: Sequence[Callable[[], A | B]] = (first, other)
    return cast("tuple[A, B]", tuple(run_all(*works)))
