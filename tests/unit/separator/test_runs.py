"""Shared runs: work is done once for all who wait, and stops when nobody does."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from services.separator.adapters.runs import ThreadedRuns
from services.separator.core.control import check_wanted
from services.separator.core.ports import TaskControl
from stemhouse.errors import Cancelled, InternalFault, WorkerDied


class Work:
    """A computation that goes on until it is told to end, or is cancelled."""

    def __init__(self) -> None:
        self.starts = 0
        self.may_end = threading.Event()
        self.was_cancelled = threading.Event()
        self.report_share = 0.25

    def __call__(self, control: TaskControl) -> str:
        """Compute."""
        self.starts += 1
        control.report(self.report_share)
        while not self.may_end.wait(0.01):
            if control.is_cancelled():
                self.was_cancelled.set()
                check_wanted(control)
        return "stems"


class Caller(threading.Thread):
    """A caller in its own thread, as gRPC has it."""

    def __init__(self, runs: ThreadedRuns, work: Work, key: str = "key") -> None:
        super().__init__(daemon=True)
        self._events: Iterator[Any] = runs.watch(key, work, lambda: not self.left.is_set())
        self.left = threading.Event()
        self.told: list[Any] = []
        self.has_heard = threading.Event()
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        """Hear all events."""
        try:
            for event in self._events:
                self.told.append(event)
                self.has_heard.set()
        except (Cancelled, WorkerDied, InternalFault) as error:
            self.error = error


@pytest.fixture
def work() -> Iterator[Work]:
    """A computation that ends with the test at the latest."""
    work = Work()
    yield work
    work.may_end.set()


def test_two_callers_share_one_computation(work: Work) -> None:
    """Both hear the progress and the result; then the key is free."""
    runs = ThreadedRuns()
    callers = [Caller(runs, work), Caller(runs, work)]
    assert all(caller.has_heard.wait(10) for caller in callers)
    assert runs.count == 1
    work.may_end.set()
    for caller in callers:
        caller.join(10)
        assert caller.told == [0.25, "stems"]
    assert work.starts == 1
    assert runs.count == 0
    assert list(runs.watch("key", work, lambda: True))[-1] == "stems"
    assert work.starts == 2


def test_other_keys_are_other_computations(work: Work) -> None:
    """Different audio or engine."""
    runs = ThreadedRuns()
    callers = [Caller(runs, work, "one"), Caller(runs, work, "two")]
    assert all(caller.has_heard.wait(10) for caller in callers)
    assert (runs.count, work.starts) == (2, 2)


def test_one_of_two_callers_may_leave(work: Work) -> None:
    """The other still gets the result."""
    runs = ThreadedRuns()
    leaving, staying = Caller(runs, work), Caller(runs, work)
    assert leaving.has_heard.wait(10)
    assert staying.has_heard.wait(10)
    leaving.left.set()
    leaving.join(10)
    assert isinstance(leaving.error, Cancelled)
    assert not work.was_cancelled.wait(0.2)
    work.may_end.set()
    staying.join(10)
    assert staying.told[-1] == "stems"


def test_last_caller_that_leaves_cancels(work: Work) -> None:
    """And a new caller begins anew at once."""
    runs = ThreadedRuns()
    callers = [Caller(runs, work), Caller(runs, work)]
    for caller in callers:
        assert caller.has_heard.wait(10)
        caller.left.set()
        caller.join(10)
    assert work.was_cancelled.wait(10)
    again = Caller(runs, work)
    work.may_end.set()
    again.join(10)
    assert again.told[-1] == "stems"
    assert work.starts == 2


def test_caller_whose_stream_is_dropped_has_left(work: Work) -> None:
    """The server drops the generator when it cannot send."""
    runs = ThreadedRuns()
    events = runs.watch("key", work, lambda: True)
    assert next(events) == 0.25
    del events
    assert work.was_cancelled.wait(10)


def test_heartbeat_repeats_the_progress(work: Work) -> None:
    """A long block must not look like a dead connection."""
    events = ThreadedRuns(heartbeat_s=0.0).watch("key", work, lambda: True)
    assert [next(events) for _ in range(3)] == [0.25, 0.25, 0.25]


def test_progress_is_told_once(work: Work) -> None:
    """Between heartbeats only changes are told."""
    caller = Caller(ThreadedRuns(), work)
    assert caller.has_heard.wait(10)
    caller.join(0.5)
    assert caller.told == [0.25]


def test_error_reaches_every_caller() -> None:
    """With its type, message and details; another computation of the key may follow."""
    runs = ThreadedRuns()

    def fail(_control: TaskControl) -> str:
        message = "gone"
        raise WorkerDied(message, {"worker": "device"})

    for _ in range(2):
        with pytest.raises(WorkerDied, match="gone") as caught:
            list(runs.watch("key", fail, lambda: True))
        assert caught.value.details == {"worker": "device"}
    assert runs.count == 0


def test_defect_is_an_internal_fault() -> None:
    """Nobody waits for ever for a thread that raised something unforeseen."""

    def fail(_control: TaskControl) -> str:
        raise ZeroDivisionError

    with pytest.raises(InternalFault):
        list(ThreadedRuns().watch("key", fail, lambda: True))
