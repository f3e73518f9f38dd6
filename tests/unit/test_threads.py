"""Work that is done at the same time loses no failure, and keeps none."""

import gc
import weakref

import pytest

from functions.problems import INTERNAL_ERROR, Failure
from functions.threads import run_all


class Password:
    """Something that must not be kept."""


def fail() -> None:
    raise Failure(INTERNAL_ERROR)


def crash() -> None:
    raise KeyError


@pytest.mark.parametrize("works", [(fail, crash), (crash, fail)])
def test_a_crash_comes_before_a_failure(works: tuple[()]) -> None:
    with pytest.raises(KeyError):
        run_all(works)


def test_what_a_failed_part_knew_is_freed_with_its_failure() -> None:
    kept: list[weakref.ref[Password]] = []

    def check() -> None:
        password = Password()
        kept.append(weakref.ref(password))
        fail()

    gc.disable()
    try:
        run_all([check, check])
    except Failure:
        pass
    finally:
        gc.enable()

    assert [one() for one in kept] == [None, None]
