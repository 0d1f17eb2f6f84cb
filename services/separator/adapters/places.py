"""Places for so many at once, given to the most urgent of those that wait."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from services.separator.core.control import check_wanted
from services.separator.core.ports import TaskControl

_POLL_S = 0.05
"""How soon somebody who has been cancelled stops waiting."""


class Places:
    """By priority, a low one first; then by who came first."""

    def __init__(self, place_count: int) -> None:
        """All of them free; there is at least one."""
        self._place_count = place_count
        self._taken_count = 0
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._numbers = count()

    @contextmanager
    def place(self, priority: int, control: TaskControl) -> Iterator[None]:
        """A place while the block runs; raises Cancelled."""
        self.take(priority, control)
        try:
            yield
        finally:
            self.give_back()

    def take(self, priority: int, control: TaskControl) -> None:
        """Wait for a place, which is to be given back; raises Cancelled."""
        rank = (priority, next(self._numbers))
        with self._changed:
            self._waiting.append(rank)
            try:
                while self._taken_count == self._place_count or rank != min(self._waiting):
                    self._changed.wait(_POLL_S)
                    check_wanted(control)
                self._taken_count += 1
            finally:
                self._waiting.remove(rank)
                self._changed.notify_all()

    def give_back(self) -> None:
        """Whoever has taken a place needs it no more; any thread may tell."""
        with self._changed:
            self._taken_count -= 1
            self._changed.notify_all()

    def are_free(self, timeout_s: float) -> bool:
        """Whether all are, now or within that time."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            return self._changed.wait_for(lambda: self._taken_count == 0, deadline_s - time.monotonic())
