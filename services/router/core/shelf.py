"""What lies in the store of audio and results: whether it is there and whole, and how it goes."""

from collections.abc import Callable
from datetime import datetime

from services.router.core.cache_ports import AUDIO_PREFIX, RESULTS_PREFIX, CacheLedger, entry_of_audio, entry_of_stems
from stemhouse.audio import AudioRef, StemSet
from stemhouse.errors import NotFound
from stemhouse.ports import ObjectStore

_MANIFEST = "manifest.json"


class CacheShelf:
    """Canonical audio and results in the store, each counted in the ledger."""

    def __init__(
        self,
        ledger: CacheLedger,
        store: ObjectStore,
        parse_manifest: Callable[[bytes], StemSet],
        now: Callable[[], datetime],
    ) -> None:
        """Keep what it asks; `parse_manifest` raises ValueError, `now` is in UTC."""
        self._ledger = ledger
        self._store = store
        self._parse_manifest = parse_manifest
        self._now = now

    def note_audio(self, audio: AudioRef) -> None:
        """It was just stored, or found there."""
        self._ledger.note(entry_of_audio(audio), self._now())

    def note_stems(self, stem_set: StemSet) -> None:
        """Likewise."""
        self._ledger.note(entry_of_stems(stem_set), self._now())

    def use_audio(self, audio: AudioRef) -> bool:
        """Whether it is there, in its size; it counts as used then."""
        return self._ledger.use([entry_of_audio(audio)], self._now()) and self._is_whole(
            audio.object_key, audio.size_bytes
        )

    def use_result(self, stem_set: StemSet) -> bool:
        """Whether stems and audio are there, all in their sizes; they count as used then."""
        entries = [entry_of_audio(stem_set.audio), entry_of_stems(stem_set)]
        return self._ledger.use(entries, self._now()) and self.is_whole_result(stem_set)

    def is_whole_result(self, stem_set: StemSet) -> bool:
        """Whether stems and audio are there, all in their sizes."""
        return not self._damage_of(stem_set)

    def has_result(self, folder: str) -> bool:
        """Whether a folder holds a result."""
        return self._store.size_bytes(f"{folder}/{_MANIFEST}") is not None

    def drop_damaged_result(self, folder: str) -> str:
        """What is wrong with the result in a folder, which is dropped for it. Empty if it is whole, or not there."""
        damage = self._damage_in(folder)
        if damage:
            self.drop(folder)
        return damage

    def drop_damaged_audio(self, audio: AudioRef) -> bool:
        """Drop audio that is not as large as it was, with all that was made of it. Whether it had to go."""
        is_damaged = self._store.size_bytes(audio.object_key) is not None and not self._is_whole(
            audio.object_key, audio.size_bytes
        )
        if is_damaged:
            self.drop_with(audio.object_key)
        return is_damaged

    def drop_with(self, object_key: str) -> None:
        """Remove what is of no use without an object: audio with all that was made of it, or a result."""
        folder = object_key.rpartition("/")[0]
        if object_key.startswith(AUDIO_PREFIX):
            for entry in self._ledger.of_audio(object_key.removeprefix(AUDIO_PREFIX).removesuffix(".flac")):
                self.drop(entry.place)
            self.drop(object_key)
        elif object_key.startswith(RESULTS_PREFIX):
            self.drop(folder)

    def drop(self, place: str) -> None:
        """Remove the objects of a place: a manifest first, since what is left by a kill is no result without it."""
        if place.startswith(AUDIO_PREFIX):
            self._store.delete(place)
        else:
            self._store.delete(f"{place}/{_MANIFEST}")
            for key in self._store.list_keys(f"{place}/"):
                self._store.delete(key)
        self._ledger.remove(place)

    def _damage_in(self, folder: str) -> str:
        try:
            manifest = b"".join(self._store.read(f"{folder}/{_MANIFEST}"))
        except NotFound:
            return ""
        try:
            stem_set = self._parse_manifest(manifest)
        except ValueError:
            return f"its {_MANIFEST} cannot be read"
        return self._damage_of(stem_set)

    def _damage_of(self, stem_set: StemSet) -> str:
        """The first thing that is wrong with the objects of a result, its audio among them."""
        noted = [(stem.object_key, stem.size_bytes) for stem in stem_set.stems]
        for object_key, noted_bytes in [*noted, (stem_set.audio.object_key, stem_set.audio.size_bytes)]:
            size_bytes = self._store.size_bytes(object_key)
            name = object_key.rpartition("/")[2]
            if size_bytes is None:
                return f"{name} is missing"
            if noted_bytes not in (0, size_bytes):
                return f"{name} has {size_bytes} bytes instead of {noted_bytes}"
        return ""

    def _is_whole(self, object_key: str, noted_bytes: int) -> bool:
        """Where no size was noted (0), that it is there has to do."""
        size_bytes = self._store.size_bytes(object_key)
        return size_bytes is not None and noted_bytes in (0, size_bytes)
