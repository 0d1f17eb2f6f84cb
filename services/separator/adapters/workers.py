"""Worker processes: each runs a few tasks at a time, and may be killed or die without harm to the server.

The two ends speak over one pipe. Parent to child: (RUN, number, task, request id), (CANCEL, number) and at the
end (LEAVE, 0). Child to parent: once (READY, greeting) or (UNABLE, reason, message, details), then for each task any
number of (PROGRESS, number, share) and one (DONE, number, result) or (FAILED, number, reason, message, details). There
is no shared lock that a dying process could keep.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from services.separator.adapters.places import Places
from services.separator.adapters.worker_child import (
    CANCEL,
    DONE,
    FAILED,
    LEAVE,
    PROGRESS,
    READY,
    RUN,
    UNABLE,
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
    """Worker: a process that `open_workshop` (picklable) furnishes once; callers queue for its slots.

    A process that died is started again at once, so that it is loaded when the next task comes.
    """

    def __init__(
        self,
        name: str,
        open_workshop: Callable[[], Workshop],
        cancel_grace_s: float = _CANCEL_GRACE_S,
        slot_count: int = 1,
    ) -> None:
        """Start the process; it loads while the caller goes on."""
        self._name = name
        self._open_workshop = open_workshop
        self._cancel_grace_s = cancel_grace_s
        self._slots = Places(slot_count)
        self._task_numbers = count()
        self._is_stopping = False
        self._greeting: Any = None
        self._reviving = threading.Lock()
        self._child = _Child(name, open_workshop)

    @property
    def greeting(self) -> Any:
        """See Worker.greeting."""
        self._greeting = self._child.greeting or self._greeting
        return self._greeting

    @property
    def process_id(self) -> int:
        """Of the process that lives now."""
        return self._child.process_id

    def run(self, task: Task[Result], control: TaskControl) -> Result:
        """See Worker.run. A task whose process was killed for the sake of another one's cancel begins again."""
        with self._slots.place(task.priority, control):
            while True:
                child = self._loaded_child(control)
                try:
                    result: Result = self._converse(child, task, control)
                except WorkerDied:
                    if not child.is_killed or self._is_stopping:
                        raise
                else:
                    return result
                finally:
                    self._living_child()

    def check_ready(self) -> None:
        """See Worker.check_ready."""
        if not self._living_child().is_loaded():
            message = f"the {self._name} worker is loading"
            raise Unavailable(message)

    def stop(self) -> None:
        """End the process: in good order if its tasks end soon, else by force."""
        self._is_stopping = True
        is_idle = self._slots.are_free(_LEAVE_S)
        self._child.leave(_LEAVE_S if is_idle else 0.0)

    def _loaded_child(self, control: TaskControl) -> "_Child":
        """Raises Cancelled, and what keeps the process from loading."""
        child = self._living_child()
        while not child.is_loaded(_POLL_S):
            check_wanted(control)
        return child

    def _converse(self, child: "_Child", task: Task[Any], control: TaskControl) -> Any:
        number = next(self._task_numbers)
        answers = child.begin(number, task)
        cancelled_s: float | None = None
        try:
            while True:
                kind, *payload = _next_of(answers)
                if kind == DONE:
                    return payload[0]
                if kind == FAILED:
                    raise error_from_reason(*payload)
                if kind == PROGRESS:
                    control.report(payload[0])
                if cancelled_s is None and control.is_cancelled():
                    child.send((CANCEL, number))
                    cancelled_s = time.monotonic()
                if cancelled_s is not None and time.monotonic() - cancelled_s > self._cancel_grace_s:
                    self._kill_stuck(child)
        finally:
            child.forget(number)

    def _kill_stuck(self, child: "_Child") -> None:
        log.warning("worker did not stop in time and was killed", worker=self._name, process_id=child.process_id)
        child.leave(0.0)
        message = "cancelled by the caller"
        raise Cancelled(message)

    def _living_child(self) -> "_Child":
        """A new process for a dead one, unless that died young a moment ago."""
        with self._reviving:
            child = self._child
            is_due = child.has_greeted or child.age_s() > _RESTART_INTERVAL_S
            if is_due and not self._is_stopping and not child.is_alive():
                child.leave(0.0)
                self._greeting = self.greeting
                self._child = _Child(self._name, self._open_workshop)
            return self._child


_NOTHING_YET: Message = ("nothing yet",)


def _next_of(answers: "SimpleQueue[Message]") -> Message:
    try:
        return answers.get(timeout=_POLL_S)
    except Empty:
        return _NOTHING_YET


class _Child:
    """One life of a worker process."""

    def __init__(self, name: str, open_workshop: Callable[[], Workshop]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=work, args=(open_workshop, child_pipe), name=name, daemon=True)
        self._process.start()
        child_pipe.close()  # or its end would never be seen
        self._started_s = time.monotonic()
        self._sending = threading.Lock()
        self._answers: dict[int, SimpleQueue[Message]] = {}
        self._has_told = threading.Event()
        self._failure: Message = ()
        self._waiting = threading.Lock()  # two threads that wait for one process may take its exit code from each other
        self._is_over = False
        self.greeting: Any = None
        self.has_greeted = False
        self.is_killed = False
        threading.Thread(target=self._listen, name=f"{name}-answers", daemon=True).start()

    @property
    def process_id(self) -> int:
        return self._process.pid or 0

    def is_loaded(self, timeout_s: float = 0.0) -> bool:
        """Whether the process has told that it is ready, now or soon; raises what kept it from that."""
        has_told = self._has_told.wait(timeout_s)
        if self._failure:
            raise error_from_reason(*self._failure)
        return has_told

    def is_alive(self) -> bool:
        with self._waiting:
            return self._process.is_alive() and not self._is_over

    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    def begin(self, number: int, task: Task[Any]) -> "SimpleQueue[Message]":
        """Give the process a task; what it answers comes out of the queue, without the number."""
        answers = self._answers[number] = SimpleQueue()
        self.send((RUN, number, task, current_request_id()))
        if self._is_over:  # nobody listens any more who would tell
            answers.put(self._death())
        return answers

    def forget(self, number: int) -> None:
        del self._answers[number]

    def send(self, message: Message) -> None:
        """To a dead process nothing can be told; who listens to it sees that, too."""
        with self._sending, suppress(OSError):
            self._pipe.send(message)

    def leave(self, timeout_s: float) -> None:
        """Hang up, wait, and kill what is left."""
        if timeout_s:
            self.send((LEAVE, 0))
            self._wait(timeout_s)
        self.is_killed = self.is_killed or self.is_alive()
        self._process.kill()
        self._wait()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                kind, *payload = self._pipe.recv()
                if kind in {READY, UNABLE}:
                    self._take_first(kind, payload)
                elif payload[0] in self._answers:
                    self._answers[payload[0]].put((kind, *payload[1:]))
        self._end()

    def _take_first(self, kind: str, payload: list[Any]) -> None:
        if kind == READY:
            self.greeting = payload[0]
            self.has_greeted = True
        else:
            self._failure = tuple(payload)
        self._has_told.set()

    def _end(self) -> None:
        self._wait(_LEAVE_S)
        self._is_over = True
        death = self._death()
        if not self._has_told.is_set():
            self._failure = death[1:]
            self._has_told.set()
        for answers in list(self._answers.values()):
            answers.put(death)
        self._pipe.close()

    def _wait(self, timeout_s: float | None = None) -> None:
        with self._waiting:
            self._process.join(timeout_s)

    def _death(self) -> Message:
        message = f"the {self._process.name} worker died (exit code {self._process.exitcode})"
        return (FAILED, WorkerDied.reason, message, {"worker": self._process.name})
