"""Who needs the stack: a file for each client, named by its process, so that a crash gives the lease up too."""

import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from stemhouse.local.home import Home
from stemhouse.local.processes import ProcessId


class Lease:
    """Holds the stack of a home while the block runs."""

    def __init__(self, home: Home) -> None:
        """Nothing is held before the block begins."""
        identity = ProcessId.of(os.getpid())
        self._file = home.clients_dir / f"{identity.pid}-{identity.created_s:.2f}-{uuid.uuid4().hex}"

    def __enter__(self) -> Self:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self._file.unlink(missing_ok=True)


def has_clients(home: Home) -> bool:
    """Whether any process holds a lease; leases of processes that have ended are removed."""
    living = [file for file in home.clients_dir.glob("[0-9]*-*-*") if _is_alive(file)]
    return bool(living)


def _is_alive(file: Path) -> bool:
    pid, created_s, _ = file.name.split("-")
    if ProcessId(int(pid), float(created_s)).find():
        return True
    file.unlink(missing_ok=True)
    return False
