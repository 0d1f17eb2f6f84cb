"""Workshops that the tests' worker processes open: tasks that obey, hang, die or fail on demand."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from services.separator.adapters.scratch import ScratchRoot
from services.separator.adapters.worker_child import Workshop
from services.separator.core.control import check_wanted
from services.separator.core.ports import Task, TaskControl
from stemhouse.errors import EngineUnavailable, UnreadableAudio


@dataclass(frozen=True)
class Order(Task[Any]):
    """What to do, and with what."""

    verb: str
    argument: Any = None


def open_workshop(scratch_root: Path) -> Workshop:
    """A workshop with a scratch folder; it greets with its process id."""
    scratch = ScratchRoot(scratch_root)
    return Workshop(os.getpid(), partial(perform, scratch), scratch.close)


def open_broken_workshop() -> Workshop:
    """One whose model is missing."""
    message = "no weights"
    raise EngineUnavailable(message, {"engine": "fake"})


def open_dying_workshop() -> Workshop:
    """One that dies while it loads."""
    os._exit(3)


def perform(scratch: ScratchRoot, task: Task[Any], control: TaskControl) -> Any:
    """Obey the order, with a scratch file open on the side."""
    assert isinstance(task, Order)
    with scratch.folder() as folder:
        (folder / "file").write_bytes(b"scratch")
        return _obey(task, control)


def _obey(order: Order, control: TaskControl) -> Any:
    match order.verb:
        case "echo":
            return order.argument
        case "nap":
            time.sleep(0.3)
            return order.argument
        case "tell request id":
            return structlog.contextvars.get_contextvars()["request_id"]
        case "reject":
            message = "not audio"
            raise UnreadableAudio(message, {"file": "song.mp3"})
        case "fill disk":
            raise OSError(errno.ENOSPC, "No space left on device")
    control.report(0.5)
    match order.verb:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(600)
        case "wait":
            while True:
                check_wanted(control)
                time.sleep(0.01)
    raise ZeroDivisionError
