"""Keep what Cognito told about a pool or an app client."""

from collections.abc import Callable
from math import inf

from functions import times
from functions.problems import Failure, Outcome
from functions.settings import Runtime


class Cache[V]:
    """Keep what was read about each app client, for a number of seconds.

    They are seconds of wall-clock time, because SnapStart restores snapshots that are hours old.
    After a failure, nothing is read for the seconds of `pause`.
    """

    def __init__(self, read: Callable[[Runtime], V], seconds: float, pause: float = 0) -> None:
        self._read = read
        self._seconds = seconds
        self._pause = pause
        self._values: dict[tuple[str, str], tuple[V, float]] = {}
        self._failures: dict[tuple[str, str], tuple[Outcome, float]] = {}

    def get(self, settings: Runtime) -> V:
        """Return the value, refreshed if it is too old; raise a `Failure` if that fails."""
        key, now = self._key(settings), times.now()
        value, read_at = self._values.get(key, (None, -inf))
        if value is not None and 0 <= now - read_at < self._seconds:
            return value
        outcome, failed_at = self._failures.get(key, (None, -inf))
        if outcome and 0 <= now - failed_at < self._pause:
            raise outcome.failure()
        try:
            value = self._read(settings)
        except Failure as failure:
            self._failures[key] = failure.outcome, times.now()
            raise
        self._values[key] = value, times.now()
        return value

    def last(self, settings: Runtime) -> V | None:
        """Return the last value, even if it is too old."""
        value, _ = self._values.get(self._key(settings), (None, -inf))
        return value

    def forget(self, settings: Runtime) -> None:
        """Discard the value, so that the next access reads it again."""
        self._values.pop(self._key(settings), None)

    @staticmethod
    def _key(settings: Runtime) -> tuple[str, str]:
        return settings.user_pool_id, settings.user_pool_client_id
