"""A fake of the router's CacheLedger, which passes the contract suite of the SQL one, and a shelf over it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.router.adapters.manifests import parse_manifest
from services.router.core.cache_ports import Bounds, CacheEntry
from services.router.core.shelf import CacheShelf
from stemhouse.cache import CacheShare
from stemhouse.ports import ObjectStore

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryCacheLedger:
    """CacheLedger in a dictionary; what jobs need is what the test has put into `needed_audio`."""

    def __init__(self) -> None:
        self.entries: dict[str, CacheEntry] = {}
        self.marked: set[str] = set()
        self.needed_audio: set[str] = set()

    def note(self, entry: CacheEntry, now: datetime) -> None:
        """See CacheLedger.note."""
        self.entries[entry.place] = replace(entry, used_at=now)
        self.marked.discard(entry.place)

    def use(self, entries: Sequence[CacheEntry], now: datetime) -> bool:
        """See CacheLedger.use."""
        if any(entry.place in self.marked for entry in entries):
            return False
        for entry in entries:
            self.entries[entry.place] = replace(self.entries.get(entry.place, entry), used_at=now)
        return True

    def add_unknown(self, entries: Sequence[CacheEntry], now: datetime) -> None:
        """See CacheLedger.add_unknown."""
        for entry in entries:
            self.entries.setdefault(entry.place, replace(entry, used_at=now))

    def unknown(self, places: Sequence[str]) -> set[str]:
        """See CacheLedger.unknown."""
        return set(places) - set(self.entries)

    def oldest(self, used_before: datetime, limit: int, after: CacheEntry | None = None) -> Sequence[CacheEntry]:
        """See CacheLedger.oldest."""
        old = [entry for entry in self.entries.values() if used_at(entry) < used_before]
        left = [
            entry for entry in old if entry.place not in self.marked and (not after or _order(entry) > _order(after))
        ]
        return sorted(left, key=_order)[:limit]

    def claim(self, entry: CacheEntry, bounds: Bounds, *, is_rehearsal: bool = False) -> Sequence[CacheEntry]:
        """See CacheLedger.claim."""
        family = self.of_audio(entry.pcm_sha256)
        since = bounds.in_hand_since if entry.engine_id else bounds.used_before
        if any(used_at(each) >= since for each in family):
            return []
        meant = [each for each in family if not entry.engine_id or each.place == entry.place]
        claimed = [each for each in meant if used_at(each) < bounds.used_before and each.place not in self.marked]
        if not is_rehearsal:
            self.marked |= {each.place for each in claimed}
        return claimed

    def leaving(self) -> Sequence[CacheEntry]:
        """See CacheLedger.leaving."""
        return [entry for entry in self.entries.values() if entry.place in self.marked]

    def remove(self, place: str) -> None:
        """See CacheLedger.remove."""
        self.entries.pop(place, None)
        self.marked.discard(place)

    def of_audio(self, pcm_sha256: str) -> Sequence[CacheEntry]:
        """See CacheLedger.of_audio."""
        return [entry for entry in self.entries.values() if entry.pcm_sha256 == pcm_sha256]

    def count(self, used_before: datetime) -> int:
        """See CacheLedger.count."""
        return sum(used_at(entry) < used_before for entry in self.entries.values())

    def size_bytes(self) -> int:
        """See CacheLedger.size_bytes."""
        return sum(entry.size_bytes for entry in self.entries.values())

    def shares(self) -> Sequence[CacheShare]:
        """See CacheLedger.shares."""
        engine_ids = {entry.engine_id for entry in self.entries.values()}
        shares = [self._share(engine_id) for engine_id in engine_ids]
        return sorted(shares, key=lambda share: (bool(share.engine_id), -share.size_bytes))

    def needed(self) -> set[str]:
        """See CacheLedger.needed."""
        return self.needed_audio

    def _share(self, engine_id: str) -> CacheShare:
        own = [entry for entry in self.entries.values() if entry.engine_id == engine_id]
        return CacheShare(engine_id, len(own), sum(entry.size_bytes for entry in own), min(map(used_at, own)))


def used_at(entry: CacheEntry) -> datetime:
    """When the entry was used last."""
    return entry.used_at or _LONG_AGO


def shelf_over(store: ObjectStore, now: datetime = datetime(2026, 1, 2, tzinfo=UTC)) -> CacheShelf:
    """A shelf of which nothing is counted yet."""
    return CacheShelf(MemoryCacheLedger(), store, parse_manifest, lambda: now)


def _order(entry: CacheEntry) -> tuple[datetime, str]:
    return used_at(entry), entry.place
