"""Cancellation between threads of the router."""

import threading
from collections.abc import Callable

from stemhouse.errors import Cancelled


class JobCancellation:
    """See the Cancellation port; `request` may come before or after anybody watches."""

    def __init__(self, job_id: str) -> None:
        """Nobody asked yet."""
        self._job_id = job_id
        self._lock = threading.Lock()
        self._is_requested = False
        self._stops: list[Callable[[], object]] = []

    def request(self) -> None:
        """Ask the job to stop; once more changes nothing."""
        with self._lock:
            self._is_requested = True
            stops, self._stops = self._stops, []
        for stop in stops:
            stop()

    def raise_if_requested(self) -> None:
        """See Cancellation.raise_if_requested."""
        if self._is_requested:
            message = f"job {self._job_id} was cancelled"
            raise Cancelled(message, {"job_id": self._job_id})

    def on_request(self, stop: Callable[[], object]) -> None:
        """See Cancellation.on_request."""
        with self._lock:
            if not self._is_requested:
                self._stops.append(stop)
                return
        stop()
