"""The cache keeps to its size and can be cleared, on fakes."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.router.adapters.manifests import parse_manifest
from services.router.core.cache_care import CacheCare, CacheLimits
from services.router.core.cache_sweep import CacheSweep
from services.router.core.shelf import CacheShelf
from services.router.settings import RouterSettings
from stemhouse.cache import Cleared, Hold
from stemhouse.errors import InvalidRequest, StorageUnavailable
from stemhouse.platform.settings import read_settings
from tests.fakes import MemoryObjectStore
from tests.fakes_cache import MemoryCacheLedger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AUDIO_BYTES, STEM_BYTES = 100, 300


class Cupboard:
    """A store with tracks `a`, `b`, ... of one result each, made a day apart, `a` first; 400 bytes each."""

    def __init__(self, tracks: str = "abcd", limits: CacheLimits | None = None) -> None:
        self.store = MemoryObjectStore()
        self.ledger = MemoryCacheLedger()
        self.now = NOON - timedelta(days=len(tracks))
        self._shelf = CacheShelf(self.ledger, self.store, parse_manifest, lambda: self.now)
        sweep = CacheSweep(self.ledger, self._shelf, self.store, lambda: self.now)
        self.care = CacheCare(self.ledger, sweep, lambda: limits or CacheLimits(), lambda: self.now)
        for track in tracks:
            self.put(track)
            self.now += timedelta(days=1)

    def put(self, track: str) -> None:
        """Store a track, and have it counted."""
        self.store.put(f"audio/{track}.flac", io.BytesIO(bytes(AUDIO_BYTES)))
        self.store.put(f"results/{track}/demucs-1/manifest.json", io.BytesIO())
        self.store.put(f"results/{track}/demucs-1/vocals.flac", io.BytesIO(bytes(STEM_BYTES)))
        self.care.open()

    @property
    def tracks(self) -> str:
        """Those of which anything is left; asserts that it is all or nothing, and that the ledger knows."""
        audio = "".join(key[len("audio/")] for key in self.store.list_keys("audio/"))
        assert "".join(key[len("results/")] for key in self.store.list_keys("results/"))[::2] == audio
        assert sorted({entry.pcm_sha256 for entry in self.ledger.entries.values()}) == list(audio)
        return audio


def test_what_was_not_used_for_longest_makes_room() -> None:
    """Until all fits, and nothing more; what was used meanwhile is not what goes."""
    cupboard = Cupboard(limits=CacheLimits(max_bytes=1300))
    cupboard.ledger.use(list(cupboard.ledger.of_audio("a")), NOON - timedelta(hours=2))
    cleared = cupboard.care.tend()
    assert (cleared.audio_count, cleared.result_count, cleared.size_bytes) == (1, 1, 400)
    assert cupboard.tracks == "acd"
    assert cupboard.care.tend() == Cleared()


def test_what_jobs_need_and_what_was_just_used_stays_over_the_limit() -> None:
    """Better more than was allowed than a track without stems."""
    cupboard = Cupboard("abc", CacheLimits(max_bytes=1, kept_s=25 * 3600.0))
    cupboard.ledger.needed_audio = {"a"}
    cupboard.care.tend()
    assert cupboard.tracks == "ac"


def test_what_is_being_delivered_stays() -> None:
    """As long as its hold lasts; one that was left behind is removed, and holds nothing."""
    cupboard = Cupboard("abc")
    ends_s = int(cupboard.now.timestamp())
    for track, end_s in (("a", ends_s + 1), ("b", ends_s - 1)):
        cupboard.store.put_if_absent(Hold(track, end_s, "x").key, b"held")
    list(cupboard.care.clear_cache(0.0))
    assert cupboard.tracks == "a"
    assert list(cupboard.store.list_keys("holds/")) == [Hold("a", ends_s + 1, "x").key]


def test_without_a_limit_nothing_goes_by_itself() -> None:
    """However old it is."""
    cupboard = Cupboard()
    cupboard.now += timedelta(days=1000)
    assert cupboard.care.tend() == Cleared()
    assert cupboard.tracks == "abcd"


def test_clearing_tells_what_has_gone_and_what_stays() -> None:
    """As it goes, and at last how much is as old and stays; a rehearsal tells the same, and drops nothing."""
    cupboard = Cupboard()
    cupboard.ledger.needed_audio = {"b"}
    rehearsed = list(cupboard.care.clear_cache(2.0, is_rehearsal=True))
    assert cupboard.tracks == "abcd"
    told = list(cupboard.care.clear_cache(2.0))
    assert [cleared.size_bytes for cleared in told] == [AUDIO_BYTES + STEM_BYTES] * 2
    assert rehearsed[-1] == told[-1] == Cleared(1, 1, 400, kept_count=2)
    assert cupboard.tracks == "bcd"


@pytest.mark.parametrize(("days", "left"), [(0.0, "d"), (30.0, "abcd")])
def test_clearing_everything_leaves_what_somebody_was_just_told_of(days: float, left: str) -> None:
    """A client is about to fetch it."""
    cupboard = Cupboard()
    cupboard.ledger.use(list(cupboard.ledger.of_audio("d")), NOON - timedelta(seconds=40))
    *_, cleared = cupboard.care.clear_cache(days)
    assert (cupboard.tracks, cleared.kept_count) == (left, 0 if days else 2)


def test_killed_sweep_is_ended_by_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the store went away in the middle; nothing that was marked stays uncounted."""
    cupboard = Cupboard("a")
    delete, calls = cupboard.store.delete, iter(range(99))

    def fail_at_third(key: str) -> None:
        if next(calls) == 2:
            raise StorageUnavailable("gone")
        delete(key)

    monkeypatch.setattr(cupboard.store, "delete", fail_at_third)
    with pytest.raises(StorageUnavailable):
        list(cupboard.care.clear_cache(0.0))
    assert cupboard.ledger.leaving()
    cupboard.care.tend()
    assert cupboard.tracks == ""


def test_what_was_never_noted_is_counted_in() -> None:
    """An older router kept no count, and a kill may leave objects behind."""
    cupboard = Cupboard("ab")
    cupboard.ledger.entries.clear()
    assert cupboard.care.open() == 4
    assert cupboard.care.open() == 0
    assert cupboard.ledger.size_bytes() == 800


def test_limit_is_told_as_people_write_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And what is no size is refused by the name of its variable."""
    monkeypatch.setenv("STEMHOUSE_STORE__CREDENTIALS_FILE", str(tmp_path / "keys.json"))
    for text, size_bytes in (("50GB", 50_000_000_000), ("1.5 GiB", 1_610_612_736), ("1000", 1000)):
        monkeypatch.setenv("STEMHOUSE_CACHE__MAX_BYTES", text)
        assert read_settings(RouterSettings).cache.max_bytes == size_bytes
    for text in ("much", "-1GB", "0"):
        monkeypatch.setenv("STEMHOUSE_CACHE__MAX_BYTES", text)
        with pytest.raises(InvalidRequest, match="STEMHOUSE_CACHE__MAX_BYTES"):
            read_settings(RouterSettings)
