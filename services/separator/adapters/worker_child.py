"""The child's end of a worker process; see `workers` for the conversation."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import structlog

from services.separator.core.ports import Task, TaskControl
from stemhouse.errors import InternalFault, StemhouseError, StorageUnavailable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = structlog.get_logger(__name__)

RUN = "run"
CANCEL = "cancel"
READY = "ready"
PROGRESS = "progress"
DONE = "done"
FAILED = "failed"

Pipe: TypeAlias = "Connection[Any, Any]"
Message: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Workshop:
    """What a worker process has loaded: what it tells of itself, how it performs a task, how it leaves."""

    greeting: Any
    perform: Callable[[Task[Any], TaskControl], Any]
    close: Callable[[], None]


def work(open_workshop: Callable[[], Workshop], pipe: Pipe) -> None:
    """Perform tasks until the parent hangs up; the target of a spawned process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends us in good order
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        workshop = open_workshop()
    except StemhouseError as error:
        pipe.send(_failed(error))
        return
    pipe.send((READY, workshop.greeting))
    try:
        _serve(workshop, pipe)
    except EOFError:
        log.info("worker leaves")
    finally:
        workshop.close()


def _serve(workshop: Workshop, pipe: Pipe) -> None:
    while True:
        kind, *payload = pipe.recv()
        if kind == RUN:  # a late CANCEL is for a task that is over
            number, task, request_id = payload
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                pipe.send(_outcome(workshop, task, _control(pipe, number)))


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


def _control(pipe: Pipe, number: int) -> TaskControl:
    cancelled: set[int] = set()

    def is_cancelled() -> bool:
        while pipe.poll():
            _, cancelled_number = pipe.recv()
            cancelled.add(cancelled_number)
        return number in cancelled

    return TaskControl(is_cancelled, lambda share: pipe.send((PROGRESS, share)))


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
