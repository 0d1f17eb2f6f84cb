"""The threads that work on batches, one for each."""

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from services.library.core.batch import DJBatchProcessor
from stemhouse.errors import Unavailable

log = structlog.get_logger(__name__)

_GRACE_S = 5.0

_PAUSE_S = 5.0
"""Before a batch whose thread has failed is taken up again."""


class ThreadBell:
    """Bell between threads."""

    def __init__(self, stopping: threading.Event) -> None:
        """`stopping` is set once, when the service leaves."""
        self._rung = threading.Event()
        self._stopping = stopping

    @property
    def is_stopping(self) -> bool:
        """See Bell.is_stopping."""
        return self._stopping.is_set()

    def ring(self) -> None:
        """See Bell.ring."""
        self._rung.set()

    def rest(self, seconds: float) -> None:
        """See Bell.rest."""
        self._rung.wait(seconds)
        self._rung.clear()


class BatchRunner:
    """Drivers: sees to it that every batch that has work has a thread."""

    def __init__(self, processor: DJBatchProcessor) -> None:
        """Keep the processor; nothing runs before `wake`."""
        self._processor = processor
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._bells: dict[str, ThreadBell] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._wanted: set[str] = set()

    def resume_processing(self, unfinished: Callable[[], Sequence[str]]) -> None:
        """Take up what an earlier life of the service has left, as `unfinished` names it, without waiting for it."""
        for batch_id in unfinished():
            self.wake(batch_id)

    def wake(self, batch_id: str) -> None:
        """See Drivers.wake."""
        with self._lock:
            self._wanted.add(batch_id)
            if batch_id in self._bells:
                self._bells[batch_id].ring()
                return
            self._bells[batch_id] = ThreadBell(self._stopping)
            thread = threading.Thread(target=self._drive, args=(batch_id,), name=f"batch-{batch_id}", daemon=True)
            self._threads[batch_id] = thread
            thread.start()

    def stop(self) -> None:
        """Let all threads end after their turn, and wait a little for that.

        What they leave is taken up by the next start. Connections may be closed only behind this.
        """
        self._stopping.set()
        with self._lock:
            threads = list(self._threads.values())
            for bell in self._bells.values():
                bell.ring()
        deadline_s = time.monotonic() + _GRACE_S
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _drive(self, batch_id: str) -> None:
        while self._is_wanted(batch_id):
            self._process(batch_id)

    def _is_wanted(self, batch_id: str) -> bool:
        """Whether somebody has asked for it since the last time; if not, its thread ends."""
        with self._lock:
            if batch_id in self._wanted and not self._stopping.is_set():
                self._wanted.remove(batch_id)
                return True
            del self._bells[batch_id], self._threads[batch_id]
            return False

    def _process(self, batch_id: str) -> None:
        """Never lets a batch lie there without a thread: whatever fails is logged, and tried again."""
        with structlog.contextvars.bound_contextvars(batch_id=batch_id):
            try:
                self._processor.process(batch_id, self._bells[batch_id])
            except Unavailable as error:
                log.warning("batch will be taken up again", reason=error.reason, error=error.message)
            except Exception:
                log.exception("batch failed unexpectedly, and will be taken up again")
            else:
                return
        self._stopping.wait(_PAUSE_S)
        with self._lock:
            self._wanted.add(batch_id)
