"""Scratch folders that do not outlive their process, even if it was killed.

Each process has a folder of its own under the root, and holds a lock file beside it for as long as it lives. A lock
that can be had belongs to nobody, so whoever starts next clears that folder.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK_SUFFIX = ".lock"


class ScratchRoot:
    """This process's part of the scratch folder."""

    def __init__(self, root: Path) -> None:
        """Clear what dead processes left, and claim a new folder."""
        root.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(root)
        self._folder = root / uuid.uuid4().hex
        self._lock = FileLock(self._folder.with_suffix(_LOCK_SUFFIX))
        self._lock.acquire()
        self._folder.mkdir()

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder for one task, removed with all that is in it."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            yield Path(name)

    def close(self) -> None:
        """Give the folder back."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def _clear_abandoned(root: Path) -> None:
    for lock_path in root.glob(f"*{_LOCK_SUFFIX}"):
        try:
            with FileLock(lock_path, blocking=False):
                shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
                lock_path.unlink(missing_ok=True)
        except Timeout:
            continue
