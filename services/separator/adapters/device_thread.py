"""A device computes one track after the other, each to its end; what comes before and after goes on beside it.

    task's thread:    fetch, first pass |          round, spool ...        | encode, hash, upload
    device's thread:      (a track before)  | networks, segment by segment | (the next track)
    reader's thread:                        | decode, resample ...  |

The threads share one interpreter, but what takes long in each of them (libFLAC, libsoxr, numpy, PyTorch, sockets) lets
go of its lock.
"""

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.separator.adapters.places import Places
from services.separator.core.control import until_cancelled
from services.separator.core.ports import Block, Engine, EngineSpec, Mixture, StemBlocks, TaskControl

Item = TypeVar("Item")

_READ_AHEAD_BLOCKS = 12
"""Blocks have a second: more than the segment of any demucs, so that the next one is there when it is asked for."""
_GIVEN_AHEAD_BLOCKS = 4
"""Of what a device has computed, and nobody has taken yet: one that is being rounded must not hold up the next."""


class DeviceThread:
    """The one thread that computes on a device."""

    def __init__(self) -> None:
        """Idle; the thread stays for as long as the process."""
        self._turn = Places(1)
        self._thread = ThreadPoolExecutor(1, "device")

    def stream(self, items: Iterator[Item], priority: int, control: TaskControl) -> Generator[Item]:
        """The items, made in the device's thread once it is their turn, and a little before they are asked for.

        Of those that wait the lowest priority goes first. The device is free again when the last item is made, or when
        nobody asks for more. Raises what making them raises, and Cancelled while it waits.
        """
        self._turn.take(priority, control)
        yield from _made_ahead(items, _GIVEN_AHEAD_BLOCKS, self._thread, self._turn.give_back)

    def call(self, function: Callable[[], Item], priority: int, control: TaskControl) -> Item:
        """Call the function in the device's thread when it is our turn; raises as `stream` does."""
        self._turn.take(priority, control)
        try:
            return self._thread.submit(contextvars.copy_context().run, function).result()
        finally:
            self._turn.give_back()


@dataclass(frozen=True)
class EngineOnDevice:
    """Engine whose computing waits for its turn on a device; what it reads is decoded ahead.

    `separate` itself is called at once: engines do there what needs no device. When `streams` ends, nobody asks any
    of its streams for more: a task that fails must not hold the device.
    """

    engine: Engine
    device: DeviceThread
    priority: int
    control: TaskControl
    streams: ExitStack

    @property
    def spec(self) -> EngineSpec:
        """That of the engine."""
        return self.engine.spec

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        heard = self.engine.separate(_ReadAhead(mixture, self.control))
        stream = self.device.stream(heard, self.priority, self.control)
        self.streams.callback(stream.close)
        return stream


@dataclass(frozen=True)
class _ReadAhead:
    """Mixture that is decoded in a thread of its own, for each pass; a cancel is not kept waiting by what is read."""

    mixture: Mixture
    control: TaskControl

    def blocks(self) -> Iterator[Block]:
        return until_cancelled(_read_ahead(self.mixture.blocks()), self.control)


def _read_ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    with ThreadPoolExecutor(1, "reader") as thread:
        yield from _made_ahead(blocks, _READ_AHEAD_BLOCKS, thread, lambda: None)


def _made_ahead(
    items: Iterable[Item], most: int, thread: ThreadPoolExecutor, on_end: Callable[[], None]
) -> Iterator[Item]:
    """The items, up to `most` of which lie ready; `on_end` is called once the thread makes no more of them."""
    shelf: _Shelf[Item] = _Shelf(most)
    making = thread.submit(contextvars.copy_context().run, shelf.fill, items)
    making.add_done_callback(lambda _: on_end())
    try:
        yield from shelf.items()
        making.result()
    finally:
        shelf.leave()
        wait([making])


class _Shelf(Generic[Item]):
    """Room for a few items between a thread that makes them and one that takes them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ready: deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_complete = False
        self._is_left = False

    def fill(self, items: Iterable[Item]) -> None:
        """Make all items, unless nobody takes them any more."""
        try:
            for item in items:
                if not self._put(item):
                    return
        finally:
            with self._changed:
                self._is_complete = True
                self._changed.notify_all()

    def items(self) -> Iterator[Item]:
        """Take them; ends where `fill` has ended, however it did."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._is_complete)
                if not self._ready:
                    return
                item = self._ready.popleft()
                self._changed.notify_all()
            yield item

    def leave(self) -> None:
        """Take no more."""
        with self._changed:
            self._is_left = True
            self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < self._most or self._is_left)
            self._ready.append(item)
            self._changed.notify_all()
            return not self._is_left
