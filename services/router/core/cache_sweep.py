"""Making room in the store.

Nothing goes that a job at work is about or that is being delivered, and nothing of audio of which anything was used a
moment ago: whoever was just told of a result is about to fetch its files. What goes is marked first, so that a kill
leaves nothing behind that is neither counted nor whole: a marked entry answers nobody, and the next look at the cache
ends what was begun.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice

from services.router.core.cache_ports import AUDIO_PREFIX, RESULTS_PREFIX, Bounds, CacheEntry, CacheLedger
from services.router.core.shelf import CacheShelf
from stemhouse.cache import HOLDS_PREFIX, Cleared, hold_of
from stemhouse.ports import ObjectStore

_PAGE_SIZE = 200
_SPARE_PART = 20
"""This part of the room is left free once something had to go, so that not every result sets off a sweep."""


class CacheSweep:
    """Drops entries of the shelf, those first that were not used for longest."""

    def __init__(self, ledger: CacheLedger, shelf: CacheShelf, store: ObjectStore, now: Callable[[], datetime]) -> None:
        """Keep what it asks; `now` is in UTC."""
        self._now = now
        self._ledger = ledger
        self._shelf = shelf
        self._store = store

    def sweep(self, bounds: Bounds) -> Iterator[Cleared]:
        """Drop all that the bounds allow; tells now and then what has gone so far, never in the middle of a track."""
        cleared = Cleared()
        for entry in self._candidates(bounds):
            claimed = self._ledger.claim(entry, bounds)
            for going in claimed:
                self._shelf.drop(going.place)
                cleared = _with(cleared, going)
            if claimed:
                yield cleared

    def rehearse(self, bounds: Bounds) -> Cleared:
        """What a sweep would drop."""
        going: dict[str, CacheEntry] = {}
        for entry in self._candidates(bounds):
            if entry.place in going:  # with its audio
                continue
            claimed = self._ledger.claim(entry, bounds, is_rehearsal=True)
            going.update({each.place: each for each in claimed})
        cleared = Cleared()
        for entry in going.values():
            cleared = _with(cleared, entry)
        return cleared

    def keep_within(self, max_bytes: int, since: datetime) -> Cleared:
        """Drop entries until all take no more than `max_bytes`; what was used since a moment stays all the same."""
        cleared = Cleared()
        surplus_bytes = self._ledger.size_bytes() - max_bytes
        if surplus_bytes <= 0:
            return cleared
        for cleared in self.sweep(Bounds(since, since)):
            if cleared.size_bytes >= surplus_bytes + max_bytes // _SPARE_PART:
                break
        return cleared

    def end_what_was_begun(self) -> None:
        """Drop what an earlier sweep has marked, unless a job has come to need it."""
        leaving = self._ledger.leaving()
        needed = self._ledger.needed() if leaving else set()
        for entry in leaving:
            if entry.pcm_sha256 not in needed:
                self._shelf.drop(entry.place)

    def adopt(self) -> int:
        """Count in what is in the store and was never noted: how many entries. What uses it is not known yet."""
        count = 0
        for places in _portions(self._places()):
            unknown = self._ledger.unknown(places)
            entries = [self._entry_of(place) for place in places if place in unknown]
            self._ledger.add_unknown(entries, self._now())
            count += len(entries)
        return count

    def _candidates(self, bounds: Bounds) -> Iterator[CacheEntry]:
        """Entries that nobody needs; jobs and deliveries come while a sweep goes on, so we look again and again."""
        after: CacheEntry | None = None
        while page := self._ledger.oldest(bounds.used_before, _PAGE_SIZE, after):
            needed = self._ledger.needed() | self._held()
            yield from (entry for entry in page if entry.pcm_sha256 not in needed)
            after = page[-1]

    def _held(self) -> set[str]:
        """The digests of the audio that is being delivered; holds that somebody has left behind are removed."""
        held = {key: hold_of(key) for key in self._store.list_keys(HOLDS_PREFIX)}
        now_s = self._now().timestamp()
        for key, hold in held.items():
            if hold.ends_s < now_s:
                self._store.delete(key)
        return {hold.pcm_sha256 for hold in held.values() if hold.ends_s >= now_s}

    def _places(self) -> Iterator[str]:
        yield from self._store.list_keys(AUDIO_PREFIX)
        folders = (key.rpartition("/")[0] for key in self._store.list_keys(RESULTS_PREFIX))
        yield from (folder for folder, _ in groupby(folders))

    def _entry_of(self, place: str) -> CacheEntry:
        is_audio = place.startswith(AUDIO_PREFIX)
        keys = [place] if is_audio else self._store.list_keys(f"{place}/")
        size_bytes = sum(self._store.size_bytes(key) or 0 for key in keys)
        if is_audio:
            return CacheEntry(place, place.removeprefix(AUDIO_PREFIX).removesuffix(".flac"), "", size_bytes)
        pcm_sha256, _, engine_id = place.removeprefix(RESULTS_PREFIX).partition("/")
        return CacheEntry(place, pcm_sha256, engine_id, size_bytes)


def _portions(places: Iterator[str]) -> Iterator[Sequence[str]]:
    while portion := list(islice(places, _PAGE_SIZE)):
        yield portion


def _with(cleared: Cleared, entry: CacheEntry) -> Cleared:
    is_result = bool(entry.engine_id)
    return Cleared(
        audio_count=cleared.audio_count + (not is_result),
        result_count=cleared.result_count + is_result,
        size_bytes=cleared.size_bytes + entry.size_bytes,
    )
