"""Work that is done at the same time loses no failure, and keeps none."""

import gc
import weakref
from contextlib import suppress

import pytest

from functions.problems import INTERNAL_ERROR, Failure
from functions.threads import run_all
from tests.support import wait_until


class Password:
    """Something that must not be kept."""


def fail() -> None:
    raise Failure(INTERNAL_ERROR)


def crash() -> None:
    raise KeyError


@pytest.mark.parametrize("works", [(fail, crash), (crash, fail)])
def test_a_crash_comes_before_a_failure(works: tuple[()]) -> None:
    with pytest.raises(KeyError):
        run_all(*works)


def test_no_work_of_the_threads_waits_for_another_one_of_them() -> None:
    """If each of them did, none would ever end."""

    def several() -> None:
        run_all(*[lambda: None] * 2)

    run_all(several, lambda: None)
    with pytest.raises(RuntimeError, match="first"):
        run_all(lambda: None, several)


def test_what_a_failed_part_knew_is_freed_with_its_failure() -> None:
    kept: list[weakref.ref[Password]] = []

    def check() -> None:
        password = Password()
        kept.append(weakref.ref(password))
        fail()

    gc.disable()
    try:
        with suppress(Failure):
            run_all(check, check)
        # A thread forgets its work right after it has handed over the failure.
        wait_until(lambda: [one() for one in kept] == [None, None])
    finally:
        gc.enable()
