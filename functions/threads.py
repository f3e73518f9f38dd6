"""Work whose parts do not need each other's results, done at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import cast


def run_all[T](works: Sequence[Callable[[], T]]) -> list[T]:
    """Return the results in the order of the works, or raise the first failure in that order.

    Nothing is still running then: Lambda would freeze it after the response. Each thread has a copy
    of this one's context: its clock, deadline and trace.
    """
    if not works:
        return []
    first, *others = works
    with ThreadPoolExecutor(max(1, len(others))) as pool:
        running = [pool.submit(copy_context().run, work) for work in others]
        result = first()
    return [result, *(one.result() for one in running)]


def run_both[A, B](one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Do the same for two works of different types."""
    works: Sequence[Callable[[], A | B]] = (one, other)
    return cast("tuple[A, B]", tuple(run_all(works)))
