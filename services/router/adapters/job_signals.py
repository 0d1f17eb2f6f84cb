"""Waking those who wait for a change of a job, and nobody else: a batch has thousands of jobs and many watchers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class JobSignals:
    """Events of the jobs that somebody waits for."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._lock = threading.Lock()
        self._waiting: dict[str, set[threading.Event]] = {}

    @contextmanager
    def watching(self, job_id: str) -> Iterator[threading.Event]:
        """An event that is set at each change of the job while the block runs."""
        changed = threading.Event()
        with self._lock:
            self._waiting.setdefault(job_id, set()).add(changed)
        try:
            yield changed
        finally:
            with self._lock:
                self._waiting[job_id].discard(changed)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def tell(self, job_id: str) -> None:
        """The job has changed."""
        with self._lock:
            for changed in self._waiting.get(job_id, ()):
                changed.set()
