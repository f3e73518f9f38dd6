"""Work whose parts do not need each other's results, done at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import current_thread
from typing import Final, cast

from functions.problems import Failure

_NAME: Final = "works"
_POOL: Final = ThreadPoolExecutor(10, _NAME)
"""The threads of this process, as many as botocore keeps connections of a client. They start when
they are first needed, and stay: new ones for each call took a quarter of its processor time."""


def run_all[T](*works: Callable[[], T]) -> list[T]:
    """Return the results in the order of the works, or raise the first failure in that order.

    A crash comes before any `Failure`, so that none is lost. Nothing is still running then: Lambda
    would freeze it after the response. The first work stays in this thread. The others have a copy
    of its context: its clock, deadline and trace. None of them may itself run several, so that no
    thread of the pool waits for another one.
    """
    if not works:
        return []
    first, *others = works
    if others and current_thread().name.startswith(_NAME):
        raise RuntimeError("Only the first of several works may itself run several.")
    running = [_POOL.submit(copy_context().run, work) for work in others]
    results: list[T] = []
    failures: list[Exception] = []
    for wait in (first, *(one.result for one in running)):
        try:
            results.append(wait())
        except Exception as failure:  # noqa: BLE001 - raised below, when the others have ended
            failures.append(failure)
    try:
        if failures:
            raise min(failures, key=lambda one: isinstance(one, Failure))
        return results
    finally:
        # A traceback has this frame. If that kept the failure, nothing would free its passwords.
        del failures, running, wait


def run_both[A, B](first: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Do the same for two works of different types."""
    works: Sequence[Callable[[], A | B]] = (first, other)
    return cast("tuple[A, B]", tuple(run_all(*works)))
