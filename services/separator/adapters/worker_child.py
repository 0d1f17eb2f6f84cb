"""The child's end of a worker process; see `workers` for the conversation."""

import contextvars
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from services.separator.core.ports import Task, TaskControl
from stemhouse.errors import InternalFault, StemhouseError, StorageUnavailable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = structlog.get_logger(__name__)

RUN = "run"
CANCEL = "cancel"
LEAVE = "leave"
READY = "ready"
UNABLE = "unable"
PROGRESS = "progress"
DONE = "done"
FAILED = "failed"

Pipe: TypeAlias = "Connection[Any, Any]"
Message: TypeAlias = tuple[Any, ...]

_CLEAN_UP_S = 4.0


@dataclass(frozen=True)
class Workshop:
    """What a worker process has loaded: what it tells of itself, how it performs a task, how it leaves.

    `perform` is called by several threads at once where the parent gives several tasks.
    """

    greeting: Any
    perform: Callable[[Task[Any], TaskControl], Any]
    close: Callable[[], None]


def work(open_workshop: Callable[[], Workshop], pipe: Pipe) -> None:
    """Perform tasks until the parent has no more; the target of a spawned process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends us in good order
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        workshop = open_workshop()
    except StemhouseError as error:
        _, *failure = _failed(error)
        pipe.send((UNABLE, *failure))
        return
    line = _Line(pipe)
    line.send((READY, workshop.greeting))
    try:
        _serve(workshop, line)
    except (EOFError, OSError):
        log.info("the parent is gone")
    finally:
        line.hang_up()
        workshop.close()


class _Line:
    """The child's end of the pipe, and the tasks that it has been given."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._tasks: dict[int, tuple[threading.Thread, threading.Event]] = {}

    def receive(self) -> Message:
        """Wait for the next message; raises EOFError or OSError once the parent has hung up."""
        message: Message = self._pipe.recv()
        return message

    def send(self, message: Message) -> None:
        """To a parent that has hung up nothing needs to be told; who receives sees that, too."""
        with self._sending, suppress(OSError):
            self._pipe.send(message)

    def start(self, number: int, perform: Callable[[TaskControl], Message]) -> None:
        """Perform a task in a thread, in the log context of now."""
        cancelled = threading.Event()
        control = TaskControl(cancelled.is_set, lambda share: self.send((PROGRESS, number, share)))

        def answer() -> None:
            kind, *payload = perform(control)
            del self._tasks[number]
            self.send((kind, number, *payload))

        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(answer,), name=f"task-{number}", daemon=True)
        self._tasks[number] = thread, cancelled
        thread.start()

    def cancel(self, number: int) -> None:
        """A late one, for a task that is over, does nothing."""
        if number in self._tasks:
            self._tasks[number][1].set()

    def hang_up(self) -> None:
        """Nobody wants the tasks any more: let them clean up after themselves."""
        for thread, cancelled in list(self._tasks.values()):
            cancelled.set()
            thread.join(_CLEAN_UP_S)


def _serve(workshop: Workshop, line: _Line) -> None:
    while True:
        kind, number, *payload = line.receive()
        if kind == LEAVE:
            return
        if kind == CANCEL:
            line.cancel(number)
        else:
            task, request_id = payload
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                line.start(number, partial(_outcome, workshop, task))


def _outcome(workshop: Workshop, task: Task[Any], control: TaskControl) -> Message:
    """The answer. Whatever goes wrong in a task must not end the worker, hence the wide net."""
    try:
        result = workshop.perform(task, control)
    except StemhouseError as error:
        return _failed(error)
    except OSError as error:
        log.exception("scratch files failed")
        return _failed(StorageUnavailable(f"scratch files: {error}"))
    except Exception:
        log.exception("task failed unexpectedly", task=type(task).__name__)
        return _failed(InternalFault("internal error; the worker's log has the request id"))
    log.info("task done", task=type(task).__name__)
    return (DONE, result)


def _failed(error: StemhouseError) -> Message:
    return (FAILED, error.reason, error.message, error.details)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
