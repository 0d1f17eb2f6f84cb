"""Processes by identity: a pid alone may have been given to another one."""

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import psutil

_CREATION_TOLERANCE_S = 2.0  # the kernel's boot time, which creation times lean on, moves when the clock is set
_KILL_DEADLINE_S = 5.0
_POLL_S = 0.05


@dataclass(frozen=True)
class ProcessId:
    """A pid and when its process began, in seconds since the epoch."""

    pid: int
    created_s: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """The identity of a running process; raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, unless it has ended."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.created_s) <= _CREATION_TOLERANCE_S
            return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def end_processes(identities: Iterable[ProcessId], grace_s: float) -> int:
    """Ask the processes to end, wait, kill the rest; gives how many there were."""
    found = [identity for identity in identities if _signal(identity, psutil.Process.terminate)]
    alive = _wait(found, grace_s)
    _wait([identity for identity in alive if _signal(identity, psutil.Process.kill)], _KILL_DEADLINE_S)
    return len(found)


def _signal(identity: ProcessId, send: Callable[[psutil.Process], None]) -> bool:
    process = identity.find()
    if process:
        with contextlib.suppress(psutil.NoSuchProcess):
            send(process)
    return process is not None


def _wait(identities: list[ProcessId], limit_s: float) -> list[ProcessId]:
    """Those that live on after `limit_s`. Unlike psutil's own wait, does not wait for init to reap the dead."""
    give_up_at_s = time.monotonic() + limit_s
    while identities and time.monotonic() < give_up_at_s:
        time.sleep(_POLL_S)
        identities = [identity for identity in identities if identity.find()]
    return identities
