"""What the cache keeps count of, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stemhouse.audio import AudioRef, StemSet
from stemhouse.cache import CacheShare

AUDIO_PREFIX = "audio/"
RESULTS_PREFIX = "results/"


@dataclass(frozen=True)
class CacheEntry:
    """Objects that come and go together: canonical audio, or what one engine made of it.

    `place` is the key of the audio, or the folder of the stems. `engine_id` is that of the folder's name; empty for the
    audio itself. `used_at` is given by the ledger.
    """

    place: str
    pcm_sha256: str
    engine_id: str
    size_bytes: int
    used_at: datetime | None = None


@dataclass(frozen=True)
class Bounds:
    """What may go: what was last used before a moment, of audio of which nothing was used since another one (UTC)."""

    used_before: datetime
    in_hand_since: datetime


class CacheLedger(Protocol):
    """What is in the store, how large it is, and when it was used last, to the half minute. Survives everything."""

    def note(self, entry: CacheEntry, now: datetime) -> None:
        """It is stored, whatever was known of its place, and used now."""

    def use(self, entries: Sequence[CacheEntry], now: datetime) -> bool:
        """Note that entries are used; those that nobody knew are added. False if one of them is about to go."""

    def add_unknown(self, entries: Sequence[CacheEntry], now: datetime) -> None:
        """Note entries that are found in the store, where nothing is known of their places."""

    def unknown(self, places: Sequence[str]) -> set[str]:
        """Those of which nothing is known."""

    def oldest(self, used_before: datetime, limit: int, after: CacheEntry | None = None) -> Sequence[CacheEntry]:
        """Entries by their last use; those behind `after`, which may be gone meanwhile."""

    def claim(self, entry: CacheEntry, bounds: Bounds, *, is_rehearsal: bool = False) -> Sequence[CacheEntry]:
        """Let an entry be about to go, audio with all that was made of it; none of them if the bounds forbid it.

        A rehearsal only tells.
        """

    def leaving(self) -> Sequence[CacheEntry]:
        """What is about to go."""

    def remove(self, place: str) -> None:
        """It is not stored any more; once more is no error."""

    def of_audio(self, pcm_sha256: str) -> Sequence[CacheEntry]:
        """Audio, and all that was made of it."""

    def count(self, used_before: datetime) -> int:
        """How many entries were last used before a moment."""

    def size_bytes(self) -> int:
        """Of all entries."""

    def shares(self) -> Sequence[CacheShare]:
        """The audio's share, then that of each engine, the largest first."""

    def needed(self) -> set[str]:
        """The digests of the audio that jobs at work are about."""


def entry_of_audio(audio: AudioRef) -> CacheEntry:
    """The entry of canonical audio."""
    return CacheEntry(audio.object_key, audio.pcm_sha256, "", audio.size_bytes)


def entry_of_stems(stem_set: StemSet) -> CacheEntry:
    """The entry of an engine's stems."""
    folder = stem_set.stems[0].object_key.rpartition("/")[0]
    engine_id = folder.rpartition("/")[2]
    size_bytes = sum(stem.size_bytes for stem in stem_set.stems)
    return CacheEntry(folder, stem_set.audio.pcm_sha256, engine_id, size_bytes)
