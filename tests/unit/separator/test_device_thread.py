"""One device, several tracks: each to its end, the urgent first, and nothing computed for who has left."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from services.separator.adapters.device_thread import DeviceThread, EngineOnDevice
from services.separator.adapters.places import Places
from services.separator.core.ports import Block, EngineSpec, Mixture, StemBlocks, TaskControl
from stemhouse.errors import Cancelled, UnreadableAudio
from tests.fakes_separator import CD_STEREO, UNWATCHED, FakeEngine, FakeMixture
from tests.signals import song

TIMEOUT_S = 20


class Track:
    """What a device makes, item by item, each when it is allowed to."""

    def __init__(self, name: str, made: list[str], item_count: int = 2) -> None:
        self._name = name
        self._made = made
        self._item_count = item_count
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()

    def items(self) -> Iterator[str]:
        """Notes each item as it is made."""
        for number in range(self._item_count):
            self.has_begun.set()
            assert self.may_go_on.wait(TIMEOUT_S)
            self._made.append(f"{self._name}{number}")
            yield self._made[-1]


class Room:
    """A device, and threads with tracks for it."""

    def __init__(self) -> None:
        self.device = DeviceThread()
        self.made: list[str] = []
        self._threads = ThreadPoolExecutor(8)

    def track(self, name: str, item_count: int = 2) -> Track:
        """One that notes what is made."""
        return Track(name, self.made, item_count)

    def begin(self, track: Track, priority: int = 100, control: TaskControl = UNWATCHED) -> "Future[list[str]]":
        """Its thread, which takes all items."""
        return self._threads.submit(lambda: list(self.device.stream(track.items(), priority, control)))

    def close(self) -> None:
        """Wait for the threads."""
        self._threads.shutdown()


@pytest.fixture
def room() -> Iterator[Room]:
    """An idle device."""
    room = Room()
    yield room
    room.close()


def waiting_count(places: Places) -> int:
    """How many wait."""
    return len(places._waiting)


def queued(room: Room, track: Track, priority: int, control: TaskControl = UNWATCHED) -> "Future[list[str]]":
    """Begin a track, and see it wait."""
    before = waiting_count(room.device._turn)
    future = room.begin(track, priority, control)
    while waiting_count(room.device._turn) == before:
        threading.Event().wait(0.005)
    return future


def test_track_keeps_the_device_and_the_urgent_is_next(room: Room) -> None:
    """Whoever came first among equals."""
    tracks = {name: room.track(name) for name in "abcu"}
    futures = [room.begin(tracks["a"])]
    assert tracks["a"].has_begun.wait(TIMEOUT_S)
    futures += [queued(room, tracks[name], priority) for name, priority in (("b", 500), ("c", 500), ("u", 10))]
    for track in tracks.values():
        track.may_go_on.set()
    assert [future.result(TIMEOUT_S) for future in futures] == [[f"{name}0", f"{name}1"] for name in "abcu"]
    assert room.made == ["a0", "a1", "u0", "u1", "b0", "b1", "c0", "c1"]


def test_device_goes_on_while_what_it_made_is_not_taken(room: Room) -> None:
    """A little ahead; and once a track is computed the next one begins, whatever is still to be done for the first."""
    first, second = room.track("a", item_count=3), room.track("b")
    first.may_go_on.set()
    second.may_go_on.set()
    items = room.device.stream(first.items(), 100, UNWATCHED)
    assert next(items) == "a0"
    assert room.begin(second).result(TIMEOUT_S) == ["b0", "b1"]
    assert room.made == ["a0", "a1", "a2", "b0", "b1"]
    assert list(items) == ["a1", "a2"]


def test_device_is_not_far_ahead_and_free_when_nobody_takes_more(room: Room) -> None:
    """A long track must not fill the memory, nor one that has failed hold the device."""
    long, next_one = room.track("a", item_count=1000), room.track("b")
    long.may_go_on.set()
    next_one.may_go_on.set()
    items = room.device.stream(long.items(), 100, UNWATCHED)
    next(items)
    items.close()
    assert len(room.made) < 10
    assert room.begin(next_one).result(TIMEOUT_S) == ["b0", "b1"]


def test_who_waits_may_leave(room: Room) -> None:
    """At once, while another track is computed; its own is never begun."""
    first, leaving = room.track("a"), room.track("b")
    computed = room.begin(first)
    assert first.has_begun.wait(TIMEOUT_S)
    has_left = threading.Event()
    waiting = queued(room, leaving, 100, TaskControl(has_left.is_set))
    has_left.set()
    with pytest.raises(Cancelled):
        waiting.result(TIMEOUT_S)
    assert not leaving.has_begun.is_set()
    first.may_go_on.set()
    assert computed.result(TIMEOUT_S) == ["a0", "a1"]


def test_what_goes_wrong_on_the_device_reaches_the_track(room: Room) -> None:
    """And the device is free again; calls are no different."""

    def fail() -> Iterator[str]:
        yield "first"
        message = "damaged"
        raise UnreadableAudio(message)

    items = room.device.stream(fail(), 100, UNWATCHED)
    assert next(items) == "first"
    with pytest.raises(UnreadableAudio):
        next(items)
    with pytest.raises(ZeroDivisionError):
        room.device.call(lambda: 1 // 0, 100, UNWATCHED)
    assert room.device.call(lambda: 7, 100, UNWATCHED) == 7


def test_engine_on_a_device_gives_the_same_samples() -> None:
    """All of them, whatever was read ahead."""
    mixture = FakeMixture(np.array_split(song(300_000, 44_100), 30, axis=1))
    engine = FakeEngine()
    given = list(EngineOnDevice(engine, DeviceThread(), 100, UNWATCHED, ExitStack()).separate(mixture))
    for stem in engine.spec.stems:
        plain = np.concatenate([stems[stem] for stems in engine.separate(mixture)], axis=1)
        assert np.array_equal(np.concatenate([stems[stem] for stems in given], axis=1), plain)


def test_task_that_ends_early_lets_the_device_go() -> None:
    """Even if somebody still holds its stream, as a traceback does."""
    device, mixture = DeviceThread(), FakeMixture([song(44_100, 44_100)] * 60)
    with ExitStack() as streams:
        items = EngineOnDevice(FakeEngine(), device, 100, UNWATCHED, streams).separate(mixture)
        next(items)
    assert device.call(lambda: 7, 100, UNWATCHED) == 7
    assert list(items) == []


class HungryEngine:
    """Engine that reads as fast as it can, and counts."""

    spec = EngineSpec("hungry", "none", "hungry-1", ("vocals",), CD_STEREO)

    def __init__(self) -> None:
        self.block_count = 0

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate."""
        for block in mixture.blocks():
            self.block_count += 1
            yield {"vocals": block}


def test_cancel_is_not_kept_waiting_by_what_lies_ready() -> None:
    """The engine hears of it at the next block, although many more have been read."""
    are_read, is_cancelled = threading.Event(), threading.Event()

    class LongMixture:
        def blocks(self) -> Iterator[Block]:
            for number in range(100):
                if number == 8:
                    are_read.set()
                yield np.zeros((2, 10), np.float32)

    engine = HungryEngine()
    control = TaskControl(lambda: is_cancelled.is_set() and are_read.is_set())
    items = EngineOnDevice(engine, DeviceThread(), 100, control, ExitStack()).separate(LongMixture())
    next(items)
    assert are_read.wait(TIMEOUT_S)
    is_cancelled.set()
    with pytest.raises(Cancelled):
        list(items)
    assert engine.block_count < 12
