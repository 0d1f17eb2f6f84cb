"""Files that are read again when they change, so that what they hold can be replaced while a service runs."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from stemhouse.errors import InvalidRequest

log = structlog.get_logger(__name__)

Value = TypeVar("Value")


class Reloaded(Generic[Value]):
    """What some files hold; while that cannot be read, what they held before. Threads may share it."""

    def __init__(self, paths: Sequence[Path], load: Callable[[], Value]) -> None:
        """Load for the first time; `load` raises InvalidRequest, and so does this."""
        self._paths = tuple(paths)
        self._load = load
        self._lock = threading.Lock()
        self._stamps = self._look()
        self._value = load()

    def current(self) -> Value:
        """As the files have it now; a look at them takes microseconds."""
        with self._lock:
            stamps = self._look()
            if stamps != self._stamps:
                self._stamps = stamps
                self._reload()
            return self._value

    def _reload(self) -> None:
        try:
            self._value = self._load()
        except InvalidRequest as error:
            log.warning("changed files are not taken", cause=error.message)
        else:
            log.info("files were read again", files=[str(path) for path in self._paths])

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_stamp, self._paths))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Different whenever a file, or the link that leads to it, has been replaced or written to; None if it is away."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def file_bytes(path: Path) -> bytes:
    """All of it; raises InvalidRequest that names the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise InvalidRequest(message) from error
