"""Worker processes: each runs one task at a time, and may be killed or die without harm to the server.

The two ends speak over one pipe. Parent to child: (RUN, number, task, request id) and (CANCEL, number). Child to
parent: once (READY, greeting), then for each task any number of (PROGRESS, share) and one (DONE, result) or
(FAILED, reason, message, details). There is no shared lock that a dying process could keep.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from services.separator.adapters.worker_child import (
    CANCEL,
    DONE,
    FAILED,
    PROGRESS,
    RUN,
    Message,
    Workshop,
    work,
)
from services.separator.core.control import check_wanted
from services.separator.core.ports import Result, Task, TaskControl
from stemhouse.errors import Cancelled, Unavailable, WorkerDied, error_from_reason
from stemhouse.platform.telemetry import current_request_id

log = structlog.get_logger(__name__)

_POLL_S = 0.05
_CANCEL_GRACE_S = 4.0
"""A cancel takes no more than five seconds in all, and to be seen, and to kill, takes some of them."""
_RESTART_INTERVAL_S = 5.0
"""Between two attempts to start a worker that dies before it is loaded."""
_LEAVE_S = 5.0


class WorkerProcess:
    """Worker: a process that `open_workshop` (picklable) furnishes once; callers queue for it.

    A process that died is started again at once, so that it is loaded when the next task comes.
    """

    def __init__(
        self, name: str, open_workshop: Callable[[], Workshop], cancel_grace_s: float = _CANCEL_GRACE_S
    ) -> None:
        """Start the process; it loads while the caller goes on."""
        self._name = name
        self._open_workshop = open_workshop
        self._cancel_grace_s = cancel_grace_s
        self._turn = threading.Lock()
        self._task_number = 0
        self._is_stopping = False
        self._greeting: Any = None
        self._child = _Child(name, open_workshop)

    @property
    def greeting(self) -> Any:
        """See Worker.greeting."""
        return self._greeting

    @property
    def process_id(self) -> int:
        """Of the process that lives now."""
        return self._child.process_id

    def run(self, task: Task[Result], control: TaskControl) -> Result:
        """See Worker.run."""
        with self._own_turn(control):
            try:
                self._wait_until_loaded(control)
                result: Result = self._converse(task, control)
            finally:
                self._revive()
        return result

    def check_ready(self) -> None:
        """See Worker.check_ready."""
        if self._turn.acquire(blocking=False):
            try:
                self._revive()
                self._load(timeout_s=0.0)
            finally:
                self._turn.release()
        if not self._child.is_loaded:
            message = f"the {self._name} worker is loading"
            raise Unavailable(message)

    def stop(self) -> None:
        """End the process: in good order if its task ends soon, else by force."""
        self._is_stopping = True
        is_idle = self._turn.acquire(timeout=_LEAVE_S)
        self._child.leave(_LEAVE_S if is_idle else 0.0)
        if is_idle:
            self._turn.release()

    @contextmanager
    def _own_turn(self, control: TaskControl) -> Iterator[None]:
        while not self._turn.acquire(timeout=_POLL_S):
            check_wanted(control)
        try:
            yield
        finally:
            self._turn.release()

    def _wait_until_loaded(self, control: TaskControl) -> None:
        self._revive()
        while not self._load(_POLL_S):
            check_wanted(control)

    def _load(self, timeout_s: float) -> bool:
        """Whether the process has told that it is ready; raises what kept it from that."""
        child = self._child
        if not child.is_loaded and not child.failure:
            message = child.receive(timeout_s)
            if message and message[0] == FAILED:
                child.failure = message[1:]
            elif message:
                self._greeting = message[1]
                child.is_loaded = True
        if child.failure:
            raise error_from_reason(*child.failure)
        return child.is_loaded

    def _converse(self, task: Task[Any], control: TaskControl) -> Any:
        self._task_number += 1
        self._child.send((RUN, self._task_number, task, current_request_id()))
        cancelled_s: float | None = None
        while True:
            message = self._child.receive(_POLL_S)
            if message and message[0] == DONE:
                return message[1]
            if message and message[0] == FAILED:
                raise error_from_reason(*message[1:])
            if message and message[0] == PROGRESS:
                control.report(message[1])
            if cancelled_s is None and control.is_cancelled():
                self._child.send((CANCEL, self._task_number))
                cancelled_s = time.monotonic()
            if cancelled_s is not None and time.monotonic() - cancelled_s > self._cancel_grace_s:
                self._kill_stuck()

    def _kill_stuck(self) -> None:
        log.warning("worker did not stop in time and was killed", worker=self._name, process_id=self.process_id)
        self._child.leave(0.0)
        message = "cancelled by the caller"
        raise Cancelled(message)

    def _revive(self) -> None:
        """A new process for a dead one, unless that died young a moment ago."""
        if self._is_stopping or self._child.is_alive():
            return
        if self._child.is_loaded or self._child.age_s() > _RESTART_INTERVAL_S:
            self._child.leave(0.0)
            self._child = _Child(self._name, self._open_workshop)


class _Child:
    """One life of a worker process."""

    def __init__(self, name: str, open_workshop: Callable[[], Workshop]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=work, args=(open_workshop, child_pipe), name=name, daemon=True)
        self._process.start()
        child_pipe.close()  # or its end would never be seen
        self._started_s = time.monotonic()
        self.is_loaded = False
        self.failure: Message = ()

    @property
    def process_id(self) -> int:
        return self._process.pid or 0

    def is_alive(self) -> bool:
        """Between tasks. A loaded child is silent then, so anything in its pipe is the end of it."""
        return self._process.is_alive() and not self._pipe.closed and not (self.is_loaded and self._pipe.poll())

    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    def send(self, message: Message) -> None:
        """Raises WorkerDied."""
        try:
            self._pipe.send(message)
        except OSError as error:
            raise self._death() from error

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None if none came in time; raises WorkerDied."""
        try:
            return self._pipe.recv() if self._pipe.poll(timeout_s) else None
        except (EOFError, OSError) as error:
            raise self._death() from error

    def leave(self, timeout_s: float) -> None:
        """Hang up, wait, and kill what is left."""
        if timeout_s:
            self._pipe.close()
            self._process.join(timeout_s)
        self._process.kill()
        self._process.join()

    def _death(self) -> WorkerDied:
        self._process.join(_LEAVE_S)
        message = f"the {self._process.name} worker died (exit code {self._process.exitcode})"
        return WorkerDied(message, {"worker": self._process.name})
