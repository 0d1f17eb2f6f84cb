"""The supervisor, with tiny scripts for children."""

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stemhouse.errors import InvalidRequest, StorageUnavailable
from stemhouse.local.children import LOG_LIMIT_BYTES, Child, ChildSpec, rotate_log
from stemhouse.local.home import Home
from stemhouse.local.leases import Lease
from stemhouse.local.record import StackRecord, read_record
from stemhouse.local.stack import stack_status, stop_stack
from stemhouse.local.supervisor import IdleWatch, Supervisor, end_orphans

# Says that it runs, waits for the end of its input, and notes that it has left.
_CHILD = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("running", flush=True)
sys.stdin.read()
with open(sys.argv[2], "a") as file:
    file.write(sys.argv[1] + "\\n")
"""
_NEVER_S = 1e9


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with its folders."""
    home = Home(tmp_path)
    home.make_dirs()
    return home


def child_spec(home: Home, name: str, code: str = _CHILD) -> ChildSpec:
    """A child that runs `code`."""
    command = (sys.executable, "-c", code, name, str(home.root / "left.txt"))
    return ChildSpec(name, command, "127.0.0.1:1", dict(os.environ))


def wait_for(condition: Callable[[], object]) -> None:
    """Until it holds."""
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)


@contextmanager
def running(
    home: Home, *specs: ChildSpec, idle: IdleWatch | None = None, verify: Callable[[], None] = lambda: None
) -> Iterator[threading.Thread]:
    """A supervisor in a thread, stopped afterwards if it has not left."""
    stop = threading.Event()
    never = IdleWatch(home, _NEVER_S, lambda: False)
    supervisor = Supervisor(home, specs, idle or never, verify)
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()


def record_of(home: Home, child_count: int) -> StackRecord:
    """The record once so many children are in it and the store is verified."""
    wait_for(lambda: (found := read_record(home)) and len(found.children) == child_count and found.is_store_verified)
    record = read_record(home)
    assert record
    return record


def log_lines(home: Home, name: str) -> list[str]:
    """What the child has said so far."""
    file = home.log_file(name)
    return file.read_text().splitlines() if file.exists() else []


def test_children_leave_in_order_with_the_store_last(home: Home) -> None:
    """By the end of their input alone; the record is gone afterwards."""
    with running(home, child_spec(home, "store"), child_spec(home, "router")):
        record_of(home, 2)
        wait_for(lambda: log_lines(home, "store") == log_lines(home, "router") == ["running"])
    assert (home.root / "left.txt").read_text().splitlines() == ["router", "store"]
    assert read_record(home) is None


def test_killed_child_is_started_again_with_the_same_address(home: Home) -> None:
    """And the record has its new process."""
    with running(home, child_spec(home, "store")):
        before = record_of(home, 1).children["store"]
        os.kill(before.process.pid, signal.SIGKILL)
        wait_for(lambda: record_of(home, 1).children["store"].process != before.process)
        after = record_of(home, 1).children["store"]
        assert (after.address, after.failure_count) == (before.address, 1)
        assert after.process.find()


def test_child_that_cannot_run_is_counted(home: Home) -> None:
    """Those who wait for it need not wait long."""
    with running(home, child_spec(home, "store"), child_spec(home, "router", "raise SystemExit('broken')")):
        wait_for(lambda: record_of(home, 2).children["router"].failure_count >= 2)
        assert set(log_lines(home, "router")) == {"broken"}
        assert [status.name for status in stack_status(home)] == ["supervisor", "store", "router"]


def test_service_whose_settings_are_wrong_ends_the_stack(home: Home) -> None:
    """In its own words, and not after many attempts: no restart makes them right. The store may end as it likes."""
    code = "raise SystemExit(print('{\"event\": 1}\\nerror: STEMHOUSE_COUNT: no number') or 2)"
    service = replace(child_spec(home, "router", code), service_name="stemhouse.v1.RouterService")
    specs = (child_spec(home, "store", "raise SystemExit(2)"), service)
    supervisor = Supervisor(home, specs, IdleWatch(home, _NEVER_S, lambda: False), lambda: None)
    with pytest.raises(InvalidRequest, match=r"^STEMHOUSE_COUNT: no number$"):
        supervisor.run(threading.Event())
    assert read_record(home) is None


def test_pauses_between_restarts_grow(home: Home) -> None:
    """A child that ends at once does not keep the machine busy."""
    now_s = 0.0
    child = Child(child_spec(home, "store", "pass"), home.log_file("store"), lambda: now_s, echo=False)
    child.start()
    starts_s: list[float] = []
    while len(starts_s) < 5:
        child.wait_or_kill(30)
        if child.restart_if_dead():
            starts_s.append(now_s)
        now_s += 0.25
    child.ask_to_stop()
    child.wait_or_kill(30)
    pauses_s = [later - earlier for earlier, later in itertools.pairwise(starts_s)]
    assert pauses_s == sorted(pauses_s)
    assert pauses_s[-1] >= 4 * 0.5


def test_output_is_echoed_with_the_name_of_the_child(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """And still goes to the log."""
    child = Child(child_spec(home, "router", "print('hello')"), home.log_file("router"), time.monotonic, echo=True)
    child.start()
    child.wait_or_kill(30)
    wait_for(lambda: log_lines(home, "router") == ["hello"])
    child.ask_to_stop()
    assert "router | hello" in capsys.readouterr().err


def test_long_log_is_set_aside(tmp_path: Path) -> None:
    """A short one is continued."""
    log = tmp_path / "router.log"
    log.write_bytes(b"x" * LOG_LIMIT_BYTES)
    rotate_log(log)
    assert log.exists()
    log.write_bytes(b"x" * (LOG_LIMIT_BYTES + 1))
    rotate_log(log)
    assert [file.name for file in tmp_path.iterdir()] == ["router.log.1"]


def test_store_that_cannot_be_used_stops_the_stack(home: Home) -> None:
    """For example one that lets strangers in."""

    def verify() -> None:
        message = "open to everybody"
        raise StorageUnavailable(message)

    with running(home, child_spec(home, "store"), verify=verify) as thread:
        thread.join(30)
        assert not thread.is_alive()


def test_idle_stack_leaves_by_itself(home: Home) -> None:
    """But not while somebody holds a lease."""
    with Lease(home), running(home, child_spec(home, "store"), idle=IdleWatch(home, 0.0, lambda: False)) as thread:
        record_of(home, 1)
        thread.join(1)
        assert thread.is_alive()
        for file in home.clients_dir.iterdir():
            file.unlink()
        thread.join(30)
        assert not thread.is_alive()


def test_idleness_counts_from_the_last_need(home: Home) -> None:
    """Clients, jobs and `up` each keep the stack for another while."""
    now_s, has_jobs = 0.0, True
    watch = IdleWatch(home, 10.0, lambda: has_jobs, lambda: now_s)
    now_s = 11.0
    assert not watch.is_over()
    has_jobs = False
    now_s = 20.0
    with Lease(home):
        assert not watch.is_over()
    now_s = 29.0
    assert not watch.is_over()
    now_s = 30.0
    home.keep_file.touch()
    assert not watch.is_over()
    home.keep_file.unlink()
    assert not watch.is_over()
    now_s = 40.0
    assert watch.is_over()


_LONELY_SUPERVISOR = """
import os, sys, threading
from pathlib import Path
from stemhouse.local.children import ChildSpec
from stemhouse.local.home import Home
from stemhouse.local.supervisor import IdleWatch, Supervisor
home = Home(Path(sys.argv[1]))
code = "import signal; signal.pause()"
specs = [ChildSpec(name, (sys.executable, "-c", code), "", dict(os.environ)) for name in ("store", "router")]
Supervisor(home, specs, IdleWatch(home, 1e9, lambda: False), lambda: None).run(threading.Event())
"""


@pytest.fixture
def orphans(home: Home) -> Iterator[list[psutil.Process]]:
    """Two processes that ignore the end of their input, and whose supervisor was killed."""
    with psutil.Popen([sys.executable, "-c", _LONELY_SUPERVISOR, str(home.root)]) as supervisor:
        record = record_of(home, 2)
        supervisor.kill()
    found = [child.process.find() for child in record.children.values()]
    processes = [process for process in found if process]
    assert len(processes) == 2
    yield processes
    for process in processes:
        if process.is_running():
            process.kill()


@pytest.mark.parametrize("end", [stop_stack, end_orphans])
def test_orphans_of_a_killed_supervisor_are_ended(
    home: Home, orphans: list[psutil.Process], end: Callable[[Home], object]
) -> None:
    """By `down`, and before the next start."""
    assert end(home)
    assert not any(orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE for orphan in orphans)
    assert read_record(home) is None
    assert not end(home)
