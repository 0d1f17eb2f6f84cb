"""Who separates what at the moment: places go by priority, and equal work to where it is being done.

A separator is given one track more than it has slots, so that it never waits for us, and yet another one that is more
urgent than all of those: it goes first there, too. What else comes waits here, where the urgent can still pass it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from services.router.adapters.separator_stubs import Separator
from services.router.core.ports import Cancellation

_AHEAD = 1
_LOOK_AGAIN_S = 1.0
"""Separators come and go; and a place that another router, or a restart, has left taken becomes free."""


@dataclass(frozen=True)
class Berth:
    """A separator that can do the work, how many tracks it does at once (1 or more), and how many it says it has."""

    separator: Separator
    slot_count: int
    busy_count: int


@dataclass(frozen=True)
class Work:
    """What is to be done; `key` is that of equal work, a low `priority` goes first."""

    key: str
    priority: int


class _Waiting:
    """Somebody without a place, and whose places he would take."""

    def __init__(self, rank: tuple[int, int]) -> None:
        self.rank = rank
        self.addresses: frozenset[str] = frozenset()


class _UnderWay:
    """Work that somebody does, and for how many."""

    def __init__(self, separator: Separator, priority: int) -> None:
        self.separator = separator
        self.priority = priority
        self.caller_count = 0


class Dispatch:
    """The places of all separators; knows what this router has sent, whatever they say of themselves."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._changed = threading.Condition()
        self._under_way: dict[str, _UnderWay] = {}
        self._waiting: list[_Waiting] = []
        self._numbers = count()

    @contextmanager
    def place(
        self, work: Work, berths: Callable[[], Sequence[Berth]], cancellation: Cancellation
    ) -> Iterator[Separator]:
        """A separator for the work while the block runs. Waits for a free one; raises Cancelled.

        `berths` are asked for again while we wait; what that raises ends the waiting.
        """
        separator = self._enter(work, berths, cancellation)
        try:
            yield separator
        finally:
            self._leave(work)

    def _enter(self, work: Work, berths: Callable[[], Sequence[Berth]], cancellation: Cancellation) -> Separator:
        waiting = _Waiting((work.priority, next(self._numbers)))
        cancellation.on_request(self._wake)
        try:
            while True:
                cancellation.raise_if_requested()
                offered = berths()
                with self._changed:
                    separator = self._take(work, waiting, offered)
                    if separator:
                        return separator
                    self._changed.wait(_LOOK_AGAIN_S)
        finally:
            self._stop_waiting(waiting)

    def _take(self, work: Work, waiting: _Waiting, offered: Sequence[Berth]) -> Separator | None:
        """The place, if there is one and nobody before us wants it."""
        under_way = self._under_way.get(work.key)
        if under_way is None:
            waiting.addresses = frozenset(berth.separator.address for berth in offered)
            if waiting not in self._waiting:
                self._waiting.append(waiting)
            berth = self._best(waiting, offered)
            if berth is None:
                return None
            under_way = self._under_way[work.key] = _UnderWay(berth.separator, work.priority)
        under_way.caller_count += 1
        return under_way.separator

    def _best(self, waiting: _Waiting, offered: Sequence[Berth]) -> Berth | None:
        """The least-loaded berth that is free, and that nobody ahead of us waits for."""
        wanted = {address for other in self._waiting if other.rank < waiting.rank for address in other.addresses}
        free = [berth for berth in offered if self._sent_count(berth) < self._place_count(berth, waiting.rank[0])]
        return min((berth for berth in free if berth.separator.address not in wanted), key=self._load, default=None)

    def _place_count(self, berth: Berth, priority: int) -> int:
        is_most_urgent = all(priority < work.priority for work in self._sent(berth))
        return berth.slot_count + _AHEAD + is_most_urgent

    def _sent_count(self, berth: Berth) -> int:
        return len(self._sent(berth))

    def _sent(self, berth: Berth) -> list[_UnderWay]:
        return [work for work in self._under_way.values() if work.separator.address == berth.separator.address]

    def _load(self, berth: Berth) -> float:
        return max(self._sent_count(berth), berth.busy_count) / berth.slot_count

    def _leave(self, work: Work) -> None:
        with self._changed:
            under_way = self._under_way[work.key]
            under_way.caller_count -= 1
            if under_way.caller_count == 0:
                del self._under_way[work.key]
                self._changed.notify_all()

    def _stop_waiting(self, waiting: _Waiting) -> None:
        with self._changed:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
