"""Worker processes: they may be killed, hang, fail or be orphaned, and the next task still runs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
import structlog

from services.separator.adapters.worker_child import Workshop
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.ports import TaskControl
from stemhouse.errors import (
    Cancelled,
    EngineUnavailable,
    InternalFault,
    StorageUnavailable,
    Unavailable,
    UnreadableAudio,
    WorkerDied,
)
from tests.fakes_separator import UNWATCHED
from tests.unit.separator.workshops import Order, open_broken_workshop, open_dying_workshop, open_workshop

Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts workers, and ends them with the test."""
    workers: list[WorkerProcess] = []

    def begin(
        open_shop: Callable[[], Workshop] | None = None, cancel_grace_s: float = 60.0, slot_count: int = 1
    ) -> WorkerProcess:
        shop = open_shop or partial(open_workshop, tmp_path)
        workers.append(WorkerProcess("test", shop, cancel_grace_s, slot_count))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.stop()


def cancelled_at_first_progress() -> TaskControl:
    """A caller who leaves as soon as the task has begun."""
    has_begun = threading.Event()
    return TaskControl(has_begun.is_set, lambda _share: has_begun.set())


def kill(process_id: int) -> None:
    """End a child of this process, and wait until it is dead; its exit status is for who owns it."""
    os.kill(process_id, signal.SIGKILL)
    with suppress(ChildProcessError):  # the owner has it already
        os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)


def files_in(folder: Path) -> list[Path]:
    """Files left in a scratch root, lock files apart."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_tasks_run_one_after_the_other_in_one_process(start: Start) -> None:
    """A result is pickled there and back; nothing is left in the scratch folder."""
    worker = start()
    assert [worker.run(Order("echo", number), UNWATCHED) for number in range(3)] == [0, 1, 2]
    assert worker.greeting == worker.process_id


def test_killed_worker_is_told_and_replaced(start: Start, tmp_path: Path) -> None:
    """By SIGKILL in the middle of a task; the next task works, and the dead one's scratch files are gone."""
    worker = start()
    shares: list[float] = []
    with pytest.raises(WorkerDied, match="exit code -9"):
        worker.run(Order("die"), TaskControl(lambda: False, shares.append))
    assert shares == [0.5]
    assert worker.run(Order("echo", "alive"), UNWATCHED) == "alive"
    assert files_in(tmp_path) == []


def test_worker_killed_between_tasks_is_replaced(start: Start) -> None:
    """The caller of the next task does not notice."""
    worker = start()
    worker.run(Order("echo"), UNWATCHED)
    first_id = worker.process_id
    kill(first_id)
    assert worker.run(Order("echo", "alive"), UNWATCHED) == "alive"
    assert worker.process_id != first_id


def test_cancelled_task_stops_in_its_process(start: Start, tmp_path: Path) -> None:
    """It cleans up after itself, and the same process takes the next task."""
    worker = start()
    with pytest.raises(Cancelled):
        worker.run(Order("wait"), cancelled_at_first_progress())
    assert files_in(tmp_path) == []
    assert worker.run(Order("echo", "next"), UNWATCHED) == "next"
    assert worker.greeting == worker.process_id


def test_late_cancel_does_not_hit_the_next_task(start: Start) -> None:
    """A task that never asks, and ends while its cancel lies in the pipe."""
    worker = start()
    worker.run(Order("echo"), UNWATCHED)
    for number in range(3):
        assert worker.run(Order("nap", number), TaskControl(lambda: True)) == number
        assert worker.run(Order("echo", number), UNWATCHED) == number
    assert worker.greeting == worker.process_id


def test_task_that_does_not_stop_is_killed(start: Start, tmp_path: Path) -> None:
    """After the grace; and a new process takes the next task."""
    worker = start(cancel_grace_s=0.1)
    with pytest.raises(Cancelled):
        worker.run(Order("hang"), cancelled_at_first_progress())
    assert worker.run(Order("echo", "next"), UNWATCHED) == "next"
    assert files_in(tmp_path) == []


def test_caller_in_the_queue_may_leave(start: Start) -> None:
    """While another's task runs."""
    worker = start()
    first = cancelled_at_first_progress()
    has_begun, is_over = threading.Event(), threading.Event()
    control = TaskControl(is_over.is_set, lambda _share: has_begun.set())

    def wait() -> None:
        with pytest.raises(Cancelled):
            worker.run(Order("wait"), control)

    thread = threading.Thread(target=wait)
    thread.start()
    assert has_begun.wait(30)
    first.report(0.0)
    with pytest.raises(Cancelled):
        worker.run(Order("echo"), first)
    worker.check_ready()
    is_over.set()
    thread.join(10)


def test_tasks_beside_each_other_are_cancelled_one_by_one(start: Start) -> None:
    """Each by its own caller; the other one goes on."""
    worker = start(slot_count=2)
    has_begun, is_over = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        staying = threads.submit(worker.run, Order("wait"), TaskControl(is_over.is_set, lambda _: has_begun.set()))
        assert has_begun.wait(60)
        with pytest.raises(Cancelled):
            worker.run(Order("wait"), cancelled_at_first_progress())
        assert worker.run(Order("echo", "beside"), UNWATCHED) == "beside"
        assert not staying.done()
        is_over.set()
        assert isinstance(staying.exception(60), Cancelled)
    assert worker.greeting == worker.process_id


def test_task_beside_a_killed_one_begins_again(start: Start) -> None:
    """In the next process: only who was cancelled hears of it."""
    worker = start(cancel_grace_s=0.1, slot_count=2)
    begun: list[int] = []
    may_end = threading.Event()
    control = TaskControl(lambda: may_end.is_set() and len(begun) > 1, lambda _: begun.append(worker.process_id))
    with ThreadPoolExecutor(1) as threads:
        innocent = threads.submit(worker.run, Order("wait"), control)
        while not begun:
            time.sleep(0.01)
        with pytest.raises(Cancelled):
            worker.run(Order("hang"), cancelled_at_first_progress())
        may_end.set()
        assert isinstance(innocent.exception(60), Cancelled)
    assert len(set(begun)) == 2


def test_all_tasks_of_a_worker_that_dies_are_told(start: Start) -> None:
    """The one that has killed it, and the one beside it."""
    worker = start(slot_count=2)
    has_begun = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        beside = threads.submit(worker.run, Order("wait"), TaskControl(lambda: False, lambda _: has_begun.set()))
        assert has_begun.wait(60)
        with pytest.raises(WorkerDied):
            worker.run(Order("die"), UNWATCHED)
        assert isinstance(beside.exception(60), WorkerDied)
    assert worker.run(Order("echo", "alive"), UNWATCHED) == "alive"


def test_errors_come_back_as_they_were(start: Start) -> None:
    """Type, message and details; a defect becomes an InternalFault, a full disk StorageUnavailable."""
    worker = start()
    with pytest.raises(UnreadableAudio, match="not audio") as caught:
        worker.run(Order("reject"), UNWATCHED)
    assert caught.value.details == {"file": "song.mp3"}
    with pytest.raises(InternalFault):
        worker.run(Order("crash"), UNWATCHED)
    with pytest.raises(StorageUnavailable, match="No space left"):
        worker.run(Order("fill disk"), UNWATCHED)
    assert worker.greeting == worker.process_id


def test_request_id_follows_the_task(start: Start) -> None:
    """So that one grep finds a track in every process."""
    with structlog.contextvars.bound_contextvars(request_id="wish-7"):
        assert start().run(Order("tell request id"), UNWATCHED) == "wish-7"


def test_worker_is_ready_once_it_has_loaded(start: Start) -> None:
    """Not before it has greeted."""
    worker = start()
    assert worker.greeting is None
    with pytest.raises(Unavailable, match="loading"):
        worker.check_ready()
    worker.run(Order("echo"), UNWATCHED)
    worker.check_ready()


def test_readiness_revives_a_dead_worker(start: Start) -> None:
    """The health loop asks, so no caller has to wait for the loading."""
    worker = start()
    worker.run(Order("echo"), UNWATCHED)
    first_id = worker.process_id
    kill(first_id)
    with pytest.raises(Unavailable):
        worker.check_ready()
    assert worker.process_id != first_id


@pytest.mark.parametrize(
    ("open_shop", "error"), [(open_broken_workshop, EngineUnavailable), (open_dying_workshop, WorkerDied)]
)
def test_worker_that_cannot_load_says_why(
    start: Start, open_shop: Callable[[], Workshop], error: type[Unavailable]
) -> None:
    """To every caller, and without starting processes as fast as they die."""
    worker = start(open_shop)
    for _ in range(2):
        with pytest.raises(error):
            worker.run(Order("echo"), UNWATCHED)


def test_stopped_worker_is_gone(start: Start, tmp_path: Path) -> None:
    """With its scratch folder; also while a task hangs."""
    worker = start()
    worker.run(Order("echo"), UNWATCHED)
    process_id = worker.process_id
    worker.stop()
    assert not psutil.pid_exists(process_id)
    assert list(tmp_path.iterdir()) == []


_PARENT = """
import sys
from functools import partial
from pathlib import Path
from services.separator.adapters.workers import WorkerProcess
from services.separator.core.ports import TaskControl
from tests.unit.separator.workshops import Order, open_workshop

if __name__ == "__main__":
    worker = WorkerProcess("test", partial(open_workshop, Path(sys.argv[1])))
    tell = lambda share: print(worker.process_id, flush=True)
    worker.run(Order("hang"), TaskControl(lambda: False, tell))
"""


def test_worker_leaves_when_its_parent_is_killed(tmp_path: Path) -> None:
    """Even in the middle of a task that hangs; a new server clears what it left behind."""
    program = tmp_path / "parent.py"
    program.write_text(_PARENT)
    scratch_root = tmp_path / "scratch"
    root = Path(__file__).parents[3]
    command = [sys.executable, str(program), str(scratch_root)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    _, alive = psutil.wait_procs([child], timeout=20)
    assert alive == []
    assert len(files_in(scratch_root)) == 1
    open_workshop(scratch_root).close()
    assert list(scratch_root.iterdir()) == []
