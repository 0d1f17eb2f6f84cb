"""Places at separators: by priority, to the idle one, and equal work where it is done."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from services.router.adapters.cancellations import JobCancellation
from services.router.adapters.dispatch import Berth, Dispatch, Work
from services.router.adapters.separator_stubs import Separator
from services.router.adapters.shared_calls import SharedCalls
from stemhouse.errors import Cancelled, Unavailable
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceStub

TIMEOUT_S = 10


class Yard:
    """Separators that are only addresses, and threads that want places there."""

    def __init__(self) -> None:
        self.channel = grpc.insecure_channel("127.0.0.1:1")
        self.dispatch = Dispatch()
        self.threads = ThreadPoolExecutor(16)
        self.order: list[str] = []
        self.cancellations: list[JobCancellation] = []
        self._separators = {name: Separator(name, SeparatorServiceStub(self.channel)) for name in "ab"}

    def berths(self, names: str = "a", slot_count: int = 1) -> Sequence[Berth]:
        """All idle, as far as they know."""
        return [Berth(self._separators[name], slot_count, 0) for name in names]

    def take(self, stack: ExitStack, key: str, names: str = "a", slot_count: int = 1) -> str:
        """A place that is free, until the stack ends."""
        wanted = self.dispatch.place(Work(key, 100), lambda: self.berths(names, slot_count), JobCancellation(key))
        return stack.enter_context(wanted).address

    def queue(self, key: str, priority: int, names: str = "a") -> tuple["Future[str]", JobCancellation]:
        """Somebody who waits for a place, notes it, and leaves it at once."""
        looked, cancellation = threading.Event(), JobCancellation(key)
        self.cancellations.append(cancellation)

        def berths() -> Sequence[Berth]:
            looked.set()
            return self.berths(names)

        def work() -> str:
            with self.dispatch.place(Work(key, priority), berths, cancellation) as separator:
                self.order.append(key)
                return separator.address

        waiting = self.threads.submit(work)
        assert looked.wait(TIMEOUT_S)
        time.sleep(0.02)  # from there to its place in the line
        return waiting, cancellation


@pytest.fixture
def yard() -> Iterator[Yard]:
    """An empty one."""
    yard = Yard()
    yield yard
    for cancellation in yard.cancellations:
        cancellation.request()
    yard.threads.shutdown()
    yard.channel.close()


def test_work_goes_to_whoever_has_least_although_none_has_noticed(yard: Yard) -> None:
    """Two that come at once do not go to the same separator while another one is idle; each has one in reserve."""
    with ExitStack() as stack:
        assert [yard.take(stack, key, "ab") for key in "1234"] == ["a", "b", "a", "b"]
        assert not yard.queue("5", 100, "ab")[0].done()
    with ExitStack() as stack:
        assert [yard.take(stack, key, "ab", slot_count=2) for key in "67"] == ["a", "b"]


def test_free_place_goes_to_the_most_urgent(yard: Yard) -> None:
    """Then to who came first; who cannot use it keeps nobody from it."""
    with ExitStack() as elsewhere:
        yard.take(elsewhere, "x", "b")
        yard.take(elsewhere, "y", "b")
        with ExitStack() as stack:
            yard.take(stack, "1")
            yard.take(stack, "2")
            stuck, _ = yard.queue("stuck", 100, "b")
            waiting = [yard.queue(key, priority)[0] for key, priority in [("c", 500), ("d", 500), ("e", 100)]]
            assert yard.order == []
        assert [place.result(TIMEOUT_S) for place in waiting] == ["a", "a", "a"]
        assert yard.order == ["e", "c", "d"]
        assert not stuck.done()
    assert stuck.result(TIMEOUT_S) == "b"


def test_most_urgent_has_a_place_of_its_own(yard: Yard) -> None:
    """One only, and only whoever is more urgent than all that is under way there."""
    with ExitStack() as stack:
        yard.take(stack, "1")
        yard.take(stack, "2")
        equal, _ = yard.queue("equal", 100)
        urgent, _ = yard.queue("urgent", 50)
        assert urgent.result(TIMEOUT_S) == "a"
        assert not equal.done()
    assert equal.result(TIMEOUT_S) == "a"


def test_equal_work_joins_where_it_is_done(yard: Yard) -> None:
    """It needs no place of its own; and the place is kept until the last one leaves."""
    with ExitStack() as first, ExitStack() as second:
        assert yard.take(first, "same", "ab") == "a"
        yard.take(first, "other", "a")
        assert yard.take(second, "same", "ab") == "a"
        first.close()
        assert [yard.take(second, key, "ab") for key in ("1", "2", "3")] == ["b", "a", "b"]


def test_who_is_cancelled_waits_no_more(yard: Yard) -> None:
    """At once, and without harm to those behind."""
    with ExitStack() as stack:
        yard.take(stack, "1")
        yard.take(stack, "2")
        leaving, cancellation = yard.queue("leaving", 100)
        behind, _ = yard.queue("behind", 500)
        cancellation.request()
        with pytest.raises(Cancelled):
            leaving.result(TIMEOUT_S)
    assert behind.result(TIMEOUT_S) == "a"


class CountedKey:
    """Notes how often somebody has looked for it."""

    def __init__(self) -> None:
        self.look_count = 0

    def __hash__(self) -> int:
        self.look_count += 1
        return 1


def test_calls_for_one_answer_are_made_once() -> None:
    """Whoever comes meanwhile gets the same answer, or a copy of the same error; the next call is made anew."""
    calls, is_under_way, may_end = SharedCalls(), threading.Event(), threading.Event()
    made: list[int] = []

    def call() -> int:
        made.append(len(made))
        is_under_way.set()
        may_end.wait(TIMEOUT_S)
        if len(made) == 2:
            raise Unavailable("gone")
        return 41

    with ThreadPoolExecutor(4) as threads:
        for answer in (41, None):
            key = CountedKey()
            first = threads.submit(calls.run, key, call)
            assert is_under_way.wait(TIMEOUT_S)
            others = [threads.submit(calls.run, key, call) for _ in range(3)]
            while key.look_count < 1 + 1 + len(others):  # the first one looks, and puts it there
                time.sleep(0.001)
            may_end.set()
            errors = [future.exception(TIMEOUT_S) for future in (first, *others)]
            if answer:
                assert [future.result() for future in (first, *others)] == [answer] * 4
            else:
                assert {type(error) for error in errors} == {Unavailable}
                assert len(set(map(id, errors))) == 4
            is_under_way.clear()
            may_end.clear()
    assert len(made) == 2
