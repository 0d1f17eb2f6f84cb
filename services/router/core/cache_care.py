"""The upkeep of the cache: within its size, counted, and cleared when somebody says so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.router.core.cache_ports import Bounds, CacheLedger
from services.router.core.cache_sweep import CacheSweep
from stemhouse.cache import DEFAULT_CLEARED_DAYS, CacheStats, Cleared

_IN_HAND = timedelta(minutes=1)
"""Whoever was told of a result asks for its files within this time, and then they are held."""


@dataclass(frozen=True)
class CacheLimits:
    """The most that the cache may take (None: as much as there is), and for how long an entry stays all the same."""

    max_bytes: int | None = None
    kept_s: float = 3600.0


class CacheCare:
    """Looks after the cache."""

    def __init__(
        self, ledger: CacheLedger, sweep: CacheSweep, limits: Callable[[], CacheLimits], now: Callable[[], datetime]
    ) -> None:
        """Keep what it asks; `limits` may change, `now` is in UTC."""
        self._ledger = ledger
        self._sweep = sweep
        self._limits = limits
        self._now = now

    def open(self) -> int:
        """Once, at the start: count in what is in the store and was never noted. How many entries."""
        return self._sweep.adopt()

    def tend(self) -> Cleared:
        """Now and then: end what a killed sweep has begun, and keep to the limits. What had to go for them."""
        self._sweep.end_what_was_begun()
        limits = self._limits()
        if limits.max_bytes is None:
            return Cleared()
        kept_since = self._now() - max(_IN_HAND, timedelta(seconds=limits.kept_s))
        return self._sweep.keep_within(limits.max_bytes, kept_since)

    def clear_cache(
        self, older_than_days: float = DEFAULT_CLEARED_DAYS, *, is_rehearsal: bool = False
    ) -> Iterator[Cleared]:
        """Drop what nobody has used for so many days; tells now and then what has gone, and at last what stays.

        What jobs at work need stays, and what somebody was told of within the last minute. A rehearsal only tells.
        """
        now = self._now()
        in_hand_since = now - _IN_HAND
        used_before = now - timedelta(days=older_than_days)
        bounds = Bounds(min(used_before, in_hand_since), in_hand_since)
        old_count = self._ledger.count(used_before)
        cleared = Cleared()
        for cleared in [self._sweep.rehearse(bounds)] if is_rehearsal else self._sweep.sweep(bounds):
            yield cleared
        gone_count = cleared.audio_count + cleared.result_count
        yield replace(cleared, kept_count=max(0, old_count - gone_count))

    def stats(self) -> CacheStats:
        """What the cache holds."""
        limits = self._limits()
        return CacheStats(tuple(self._ledger.shares()), limits.max_bytes, limits.kept_s)
