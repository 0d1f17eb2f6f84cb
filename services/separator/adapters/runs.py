"""Computations shared by all callers that want the same result at the same time."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from services.separator.core.ports import Result, TaskControl
from stemhouse.errors import Cancelled, InternalFault, StemhouseError

log = structlog.get_logger(__name__)

_HEARTBEAT_S = 5.0
_POLL_S = 0.1
"""How soon a caller that left is noticed."""


class ThreadedRuns:
    """SharedRuns: one thread for each computation."""

    def __init__(self, heartbeat_s: float = _HEARTBEAT_S) -> None:
        self._heartbeat_s = heartbeat_s
        self._lock = threading.Lock()
        self._shared: dict[str, _Run] = {}
        self._running: set[_Run] = set()

    @property
    def count(self) -> int:
        """See SharedRuns.count."""
        with self._lock:
            return len(self._running)

    def watch(
        self, key: str, compute: Callable[[TaskControl], Result], is_wanted: Callable[[], bool]
    ) -> Iterator[float | Result]:
        """See SharedRuns.watch."""
        run = self._join(key, compute)
        try:
            yield from self._progress(run, is_wanted)
            yield run.outcome()
        finally:
            self._leave(key, run)

    def _progress(self, run: "_Run", is_wanted: Callable[[], bool]) -> Iterator[float]:
        told: float | None = None
        told_s = 0.0
        while not run.is_done.wait(_POLL_S):
            if not is_wanted():
                message = "the caller left"
                raise Cancelled(message)
            now_s = time.monotonic()
            if run.progress != told or now_s - told_s >= self._heartbeat_s:
                told, told_s = run.progress, now_s
                yield told

    def _join(self, key: str, compute: Callable[[TaskControl], Any]) -> "_Run":
        with self._lock:
            run = self._shared.get(key)
            if run is None:
                run = self._shared[key] = _Run(compute, lambda ended: self._forget(key, ended))
                self._running.add(run)
                run.start()
            run.caller_count += 1
            return run

    def _leave(self, key: str, run: "_Run") -> None:
        with self._lock:
            run.caller_count -= 1
            if run.caller_count == 0:
                run.is_cancelled.set()
                self._drop(key, run)

    def _forget(self, key: str, run: "_Run") -> None:
        with self._lock:
            self._running.discard(run)
            self._drop(key, run)

    def _drop(self, key: str, run: "_Run") -> None:
        if self._shared.get(key) is run:
            del self._shared[key]


class _Run:
    """One computation in its thread, which keeps the log context of the caller that began it."""

    def __init__(self, compute: Callable[[TaskControl], Any], on_end: Callable[["_Run"], None]) -> None:
        self._compute = compute
        self._on_end = on_end
        self._result: Any = None
        self._error: StemhouseError | None = None
        self.progress = 0.0
        self.caller_count = 0
        self.is_cancelled = threading.Event()
        self.is_done = threading.Event()

    def start(self) -> None:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run,), name="shared-run", daemon=True).start()

    def outcome(self) -> Any:
        """The result, or raises what the computation raised: a fresh copy for each caller."""
        if self._error:
            raise type(self._error)(self._error.message, self._error.details) from self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._compute(TaskControl(self.is_cancelled.is_set, self._report))
        except StemhouseError as error:
            self._error = error
        except Exception:
            log.exception("computation failed unexpectedly")
            self._error = InternalFault("internal error; the server's log has the request id")
        finally:
            self._on_end(self)
            self.is_done.set()

    def _report(self, share: float) -> None:
        self.progress = max(self.progress, share)  # an engine that begins a part anew must not seem to go back
