"""Attach to the local stack, or start it first; stop it; tell how it is."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from stemhouse.client.endpoints import Endpoints
from stemhouse.errors import Unavailable
from stemhouse.local.children import rotate_log
from stemhouse.local.health import Health, health_of
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.processes import ProcessId, end_processes
from stemhouse.local.record import ChildRecord, StackRecord, read_record

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
    processes call this at once, one stack is started. Raises Unavailable with the last log lines of what is not ready.
    """
    home.make_dirs()
    while True:
        with _start_lock(home):
            is_new = _running_record(home) is None
            if is_new:
                tell(f"starting the local stack in {home.root}")
                _start_supervisor(home)
        record = _wait_until_ready(home, deadline_s)
        if record:
            return Endpoints(**{name: record.children[name].address for name in ("router", "library", "exporter")})
        if is_new:  # one that had been there may have been stopped or killed just now: start another
            raise _not_ready(home, _SUPERVISOR, "has stopped the stack")


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


def _start_supervisor(home: Home) -> None:
    """Run a supervisor of its own session, and wait for its first record."""
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
            raise _not_ready(home, _SUPERVISOR, "ended at its start")
        time.sleep(_POLL_S)


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


def _not_ready(home: Home, name: str, problem: str) -> Unavailable:
    log_file = home.log_file(name)
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines() if log_file.exists() else []
    tail = "\n".join(f"  {line}" for line in lines[-_LOG_TAIL_LINES:])
    return Unavailable(f"local stack: {name} {problem}; the end of {log_file}:\n{tail}", {"process": name})
