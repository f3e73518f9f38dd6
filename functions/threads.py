"""Work whose parts do not need each other's results, done at the same time."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Thread
from typing import cast


class _Part[T](Thread):
    """One part, in a copy of the starting thread's context: its clock, deadline and trace."""

    def __init__(self, work: Callable[[], T]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._context = copy_context()
        self._results: list[T] = []
        self._failure: Exception | None = None

    def run(self) -> None:
        """Do the work, and keep what it returns or raises."""
        try:
            self._results.append(self._context.run(self._work))
        except Exception as error:  # noqa: BLE001 - raised by `result`
            self._failure = error

    def result(self) -> T:
        """Return or raise it, once the part has run."""
        if self._failure:
            raise self._failure
        return self._results[0]


def run_all[T](works: Sequence[Callable[[], T]]) -> list[T]:
    """Return the results in the order of the works, or raise the first failure in that order.

    Nothing is still running then: Lambda would freeze it after the response.
    """
    parts = [_Part(work) for work in works]
    for part in parts[1:]:
        part.start()
    for part in parts[:1]:
        part.run()
    for part in parts[1:]:
        part.join()
    return [part.result() for part in parts]


def run_both[A, B](one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """Do the same for two works of different types."""
    works: Sequence[Callable[[], A | B]] = (one, other)
    return cast("tuple[A, B]", tuple(run_all(works)))
