"""Work whose parts do not need each other's results, done at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import cast

from functions.problems import Failure


def run_all[T](works: Sequence[Callable[[], T]]) -> list[T]:
    """Return the results in the order of the works, or raise the first failure in that order.

    A crash comes before any `Failure`, so that none is lost. Nothing is still running then: Lambda
    would freeze it after the response. The first work needs no thread. Each thread has a copy of
    this one's context: its clock, deadline and trace.
    """
    if not works:
        return []
    own: Future[T] = Future()
    with ThreadPoolExecutor(len(works)) as pool:
        running = [own, *(pool.submit(copy_context().run, work) for work in works[1:])]
        try:
            own.set_result(works[0]())
        except Exception as error:  # noqa: BLE001 - raised below, after all have ended
            own.set_exception(error)
    failures = list(filter(None, map(Future.exception, running)))
    try:
        if failures:
            raise min(failures, key=lambda one: isinstance(one, Failure))
        return list(map(Future.result, running))
    finally:
        # A traceback has this frame. If that kept the failure, nothing would free its passwords.
        failures.clear()
        running.clear()
        del own


def run_both[A, B](one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Do the same for two works of different types."""
    works: Sequence[Callable[[], A | B]] = (one, other)
    return cast("tuple[A, B]", tuple(run_all(works)))
