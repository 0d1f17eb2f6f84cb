"""The two clocks of the fake: one that a test moves, and the machine's."""

import time
from typing import Protocol

START_S = 1_800_000_000.0
"""Unix time at which a virtual clock begins."""


class Clock(Protocol):
    """Tells unix time in seconds."""

    def now_s(self) -> float:
        """The present."""
        ...

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        ...


class VirtualClock:
    """Stands still until it is told to advance."""

    def __init__(self, start_s: float = START_S) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """The present."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now_s += seconds


class RealClock:
    """The machine's clock; `advance` adds to it, so that a day can pass in a test of real processes."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now_s(self) -> float:
        """The present."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Let time pass at once, on top of the time that passes anyway."""
        self._ahead_s += seconds
