"""The times of changes, in microseconds since 1970: whoever has seen a change has seen all that have earlier times."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ChangeTimes:
    """Gives out growing times, whatever the machine's clock does; one change is written at a time."""

    def __init__(
        self, newest_us: Callable[[], int], now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        """`newest_us` reads the newest time there is; it is asked once, before the first change."""
        self._newest_us = newest_us
        self._now_us = now_us
        self._last_us: int | None = None
        self._lock = threading.Lock()

    @contextmanager
    def next(self) -> Iterator[int]:
        """The time of the change that the block writes, and commits."""
        with self._lock:
            last_us = self._newest_us() if self._last_us is None else self._last_us
            self._last_us = max(last_us + 1, self._now_us())
            yield self._last_us


def moment_of(microseconds: int) -> datetime:
    """In UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def microseconds_of(moment: datetime) -> int:
    """Of a time with a zone."""
    return (moment - _EPOCH) // _MICROSECOND
