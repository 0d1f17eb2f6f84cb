"""How much may be asked of a service at a time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel, ByteSize, Field, PositiveInt

from stemhouse.errors import LimitExceeded

_BURST_S = 10.0
"""Who has been silent for so long may call as often at once as in that time."""


class LimitSettings(BaseModel):
    """Of a service. The rate, and the calls at once of one, hold for each token by itself."""

    calls_at_once: PositiveInt = Field(default=256, description="of all callers; streams count as long as they last")
    calls_at_once_of_one: PositiveInt = 128
    calls_per_s: float = Field(default=100.0, gt=0, description="in the long run: after a pause ten times as many")
    streams: PositiveInt = Field(default=128, description="calls at once by one connection; more of them wait")
    message_bytes: ByteSize = Field(default=ByteSize(4 * 1024**2), ge=2 * 1024**2)
    idle_s: PositiveInt = Field(default=300, description="until a connection is closed on which nothing is asked")


@dataclass
class _Tally:
    """Of one caller: what runs, and the calls that he may make at once now."""

    running: int
    credit: float
    counted_s: float


class Turnstile:
    """Counts the calls of each caller, known by name; an empty name is nobody's, and only counts among all."""

    def __init__(self, settings: LimitSettings, now_s: Callable[[], float] = time.monotonic) -> None:
        """Nobody is inside; `now_s` never goes back."""
        self._settings = settings
        self._now_s = now_s
        self._lock = threading.Lock()
        self._running = 0
        self._tallies: dict[str, _Tally] = {}

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """A call, as long as it lasts; raises LimitExceeded that says which limit was reached."""
        with self._lock:
            tally = self._enter(name)
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                tally.running -= 1

    def _enter(self, name: str) -> _Tally:
        limits = self._settings
        if self._running >= limits.calls_at_once:
            raise _exceeded("calls_at_once", f"the service answers {limits.calls_at_once} calls at a time")
        tally = self._counted(name)
        if name and tally.running >= limits.calls_at_once_of_one:
            most = limits.calls_at_once_of_one
            raise _exceeded("calls_at_once_of_one", f"the token {name} may have {most} calls at a time")
        if name and tally.credit < 1.0:
            raise _exceeded("calls_per_s", f"the token {name} may call {limits.calls_per_s:g} times a second")
        tally.credit -= 1.0
        tally.running += 1
        self._running += 1
        return tally

    def _counted(self, name: str) -> _Tally:
        """With the credit that has come since the last look."""
        now_s, full = self._now_s(), max(1.0, self._settings.calls_per_s * _BURST_S)
        tally = self._tallies.setdefault(name, _Tally(0, full, now_s))
        tally.credit = min(full, tally.credit + (now_s - tally.counted_s) * self._settings.calls_per_s)
        tally.counted_s = now_s
        return tally


def _exceeded(limit: str, words: str) -> LimitExceeded:
    return LimitExceeded(f"{words}: try again later", {"limit": limit})
