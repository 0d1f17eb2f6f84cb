"""Attach to the local stack, or start it first; stop it; tell how it is."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from stemhouse.client.endpoints import Endpoints
from stemhouse.errors import InvalidRequest, StemhouseError, Unavailable
from stemhouse.local.children import log_tail, rotate_log
from stemhouse.local.health import Health, health_of
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.origin import difference, present_origin
from stemhouse.local.processes import ProcessId, end_processes
from stemhouse.local.record import ChildRecord, StackRecord, read_record
from stemhouse.platform.entry import ERROR_PREFIX, WRONG_SETTINGS_EXIT_CODE

START_DEADLINE_S = 120.0
"""From the start of the supervisor until everything is ready; importing torch from a cold disk takes a while."""

STOP_DEADLINE_S = 60.0
"""More than the supervisor's graces for the services and the store together."""

_POLL_S = 0.1
_HOPELESS_FAILURE_COUNT = 3
_LOG_TAIL_LINES = 6
_SUPERVISOR = "supervisor"

# A process that was started to stay must outlive the object that started it.
_detached: list[subprocess.Popen[bytes]] = []


def ensure_stack(home: Home, tell: Callable[[str], None], deadline_s: float = START_DEADLINE_S) -> Endpoints:
    """The addresses of a stack whose every part is ready; starts it in the background if there is none.

    Hold a `Lease` meanwhile and as long as the addresses are used. `tell` gets lines for people. However many
    processes call this at once, one stack is started. Raises Unavailable with the last log lines of what is not ready,
    InvalidRequest that names a setting which a service cannot use.
    """
    home.make_dirs()
    while True:
        with _start_lock(home):
            started = None
            if _running_record(home) is None:
                tell(f"starting the local stack in {home.root}")
                started = _start_supervisor(home)
        record = _wait_until_ready(home, deadline_s)
        if record:
            note = difference(record.origin, present_origin(home))
            if note:
                tell(note)
            return _endpoints(record)
        if started:  # one that had been there may have been stopped or killed just now: start another
            raise _why_ended(home, started, "has stopped the stack")


def require_stack(home: Home, endpoints: Endpoints) -> None:
    """Raises Unavailable if the stack at these addresses is gone for good; one whose services restart is not."""
    record = read_record(home)
    if record is None or record.is_stopping or not record.supervisor.find() or _endpoints(record) != endpoints:
        message = f"the local stack in {home.root} was stopped; `stemhouse up` starts it, and its jobs go on"
        raise Unavailable(message)


def _endpoints(record: StackRecord) -> Endpoints:
    """Empty where a service has not been started yet."""
    names = ("router", "library", "exporter")
    return Endpoints(**{name: record.children[name].address if name in record.children else "" for name in names})


def stop_stack(home: Home) -> bool:
    """End the stack, or what a killed supervisor has left of it; tells whether anything was running."""
    if not home.run_dir.exists():
        return False
    with _start_lock(home):
        home.keep_file.unlink(missing_ok=True)
        record = read_record(home)
        if record is None:
            return False
        # The supervisor ends its children in order; whatever is left after it is ended here.
        ended_count = end_processes([record.supervisor], STOP_DEADLINE_S)
        ended_count += end_processes([child.process for child in record.children.values()], STOP_DEADLINE_S)
        home.stack_file.unlink(missing_ok=True)
        _detached[:] = [process for process in _detached if process.poll() is None]
        return bool(ended_count)


@dataclass(frozen=True)
class ProcessStatus:
    """One process of the stack as it stands."""

    name: str
    pid: int
    address: str
    health: Health


def stack_status(home: Home) -> list[ProcessStatus]:
    """The supervisor and its children; empty if no stack runs here."""
    record = read_record(home)
    if record is None:
        return []
    supervisor = Health.SERVING if record.supervisor.find() else Health.NO_ANSWER
    return [
        ProcessStatus(_SUPERVISOR, record.supervisor.pid, "", supervisor),
        *(_child_status(name, child) for name, child in record.children.items()),
    ]


def _child_status(name: str, child: ChildRecord) -> ProcessStatus:
    return ProcessStatus(name, child.process.pid, child.address, health_of(child))


@contextmanager
def _start_lock(home: Home) -> Iterator[None]:
    try:
        with FileLock(home.start_lock_file, timeout=START_DEADLINE_S):
            yield
    except Timeout as error:
        message = f"another process has been starting or stopping the stack in {home.root} for too long"
        raise Unavailable(message) from error


def _running_record(home: Home) -> StackRecord | None:
    """The record of a stack that is there to stay; waits for one that is about to leave."""
    give_up_at_s = time.monotonic() + STOP_DEADLINE_S
    while (record := read_record(home)) and record.supervisor.find():
        if not record.is_stopping:
            return record
        if time.monotonic() > give_up_at_s:
            message = f"the stack in {home.root} does not stop; `stemhouse down` ends it"
            raise Unavailable(message)
        time.sleep(_POLL_S)
    return None


def _start_supervisor(home: Home) -> "subprocess.Popen[bytes]":
    """Run a supervisor of its own session, and wait for its first record.

    Raises Unavailable if it ends before, InvalidRequest if for wrong settings.
    """
    log_file = home.log_file(_SUPERVISOR)
    rotate_log(log_file)
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            (sys.executable, "-m", "stemhouse.local.supervisor"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home.root,
            env={**os.environ, HOME_VARIABLE: str(home.root)},
            start_new_session=True,
            creationflags=_detached_flags(),
        )
    _detached.append(process)
    supervisor = ProcessId.of(process.pid)
    while (record := read_record(home)) is None or not record.supervisor.find():
        if not supervisor.find():
            raise _why_ended(home, process, "ended at its start")
        time.sleep(_POLL_S)
    return process


def _detached_flags() -> int:
    if sys.platform == "win32":
        return subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def _wait_until_ready(home: Home, deadline_s: float) -> StackRecord | None:
    """The record once everything answers; None if the stack has gone meanwhile."""
    give_up_at_s = time.monotonic() + deadline_s
    ready: set[str] = set()
    while True:
        record = read_record(home)
        if record is None or record.is_stopping or not record.supervisor.find():
            return None
        pending = {name: child for name, child in record.children.items() if name not in ready}
        ready |= {name for name, child in pending.items() if health_of(child) is Health.SERVING}
        if record.is_store_verified and ready == set(record.children):
            return record
        for name, child in record.children.items():
            if name not in ready and child.failure_count >= _HOPELESS_FAILURE_COUNT:
                raise _not_ready(home, name, "ends again and again")
        if time.monotonic() > give_up_at_s:
            first = next((name for name in record.children if name not in ready), _SUPERVISOR)
            raise _not_ready(home, first, f"is not ready after {deadline_s:.0f} s")
        time.sleep(_POLL_S)


def _why_ended(home: Home, supervisor: "subprocess.Popen[bytes]", problem: str) -> StemhouseError:
    with contextlib.suppress(subprocess.TimeoutExpired):
        supervisor.wait(STOP_DEADLINE_S)
    last_lines = log_tail(home.log_file(_SUPERVISOR), 1)
    if supervisor.returncode == WRONG_SETTINGS_EXIT_CODE and last_lines:
        return InvalidRequest(last_lines[0].removeprefix(ERROR_PREFIX))
    return _not_ready(home, _SUPERVISOR, problem)


def _not_ready(home: Home, name: str, problem: str) -> Unavailable:
    log_file = home.log_file(name)
    tail = "\n".join(f"  {line}" for line in log_tail(log_file, _LOG_TAIL_LINES))
    return Unavailable(f"local stack: {name} {problem}; the end of {log_file}:\n{tail}", {"process": name})
