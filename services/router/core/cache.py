"""Results that need not be computed again.

The first key is the plan's: MD5 of the file (its SHA-256 checked beside it) and what was wished for; the second is
the digest of the decoded samples, so that another tag or container costs one decoding and no separation. A result
stands as long as the request would still choose the engine id that had the first go: new weights, or for `auto` a
better engine or another policy, make it a miss. `auto` in a batch takes no result of the starter, whatever is up.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.router.core.cache_care import CacheCare
from services.router.core.choices import EngineChooser
from services.router.core.policy import Policy
from services.router.core.ports import Accepted, Ingested, ResultLedger, Uploads
from services.router.core.routing import is_free_to_choose, is_urgent_for_vocals
from services.router.core.scene import STARTER
from services.router.core.shelf import CacheShelf
from stemhouse.audio import SourceRef
from stemhouse.cache import DEFAULT_CLEARED_DAYS, CacheStats, Cleared
from stemhouse.errors import Unavailable
from stemhouse.jobs import Preset, SeparationRequest

_SAMPLES_SINCE = {
    "mpeg_layer_i": 3,
    "mpeg_layer_ii": 3,
    "mpeg_layer_iii": 3,
    "vorbis": 2,
    "opus": 2,
    "ima_adpcm": 3,
    "ms_adpcm": 3,
}
"""By codec, the version of ingest since which the samples are as they are now; those of all others always were."""


def wish_of(request: SeparationRequest, policy: Policy) -> str:
    """The part of a request that decides which samples answer it, as one word.

    What only tells how to choose counts where there is a choice. Whoever wants vocals alone may get fewer stems, so
    what he gets answers nobody else.
    """
    model = f".{request.model}" if request.model else ""
    choice = "".join(f"-{word}" for word in _choice_words(request, policy)) if is_free_to_choose(request) else ""
    stems = "-vocals" if request.is_vocals_only else ""
    return f"{request.engine}{model}{choice}-{'sum' if request.sum_to_mix else 'raw'}{stems}"


def _choice_words(request: SeparationRequest, policy: Policy) -> Iterator[str]:
    yield f"policy{policy.digest}"
    if request.preset is not Preset.BALANCED:
        yield request.preset.value
    if request.is_difficult:
        yield "difficult"
    if request.cloud_minutes > 0.0:
        yield "cloud"
    if request.cloud_minutes > 0.0 and is_urgent_for_vocals(request, policy):
        yield "urgent"


class StemCache:
    """Looks up and accepts results; an entry counts only while its objects are in the store, each in its size."""

    def __init__(
        self, ledger: ResultLedger, shelf: CacheShelf, chooser: EngineChooser, uploads: Uploads, care: CacheCare
    ) -> None:
        """Keep what it asks."""
        self._care = care
        self._ledger = ledger
        self._uploads = uploads
        self._shelf = shelf
        self._chooser = chooser

    def find_ingested(self, source: SourceRef) -> Ingested | None:
        """Canonical audio of these very bytes, if it is still stored. Raises what an earlier ingest ended with.

        An older decoder's samples count only as long as there are no bytes to decode anew.
        """
        ingested = self._ledger.find_ingested(source)
        if ingested is None or not self._shelf.use_audio(ingested.audio):
            return None
        return None if _is_outdated(ingested) and self._uploads.holds(source) else ingested

    def drop_with(self, object_key: str) -> None:
        """Remove what somebody has found to be damaged, or gone."""
        self._shelf.drop_with(object_key)

    def drop_damaged(self, source: SourceRef) -> None:
        """Remove canonical audio of these bytes that is not as large as it was: ingest would take it for its own."""
        ingested = self._ledger.find_ingested(source)
        if ingested:
            self._shelf.drop_damaged_audio(ingested.audio)

    def record_ingested(self, source: SourceRef, ingested: Ingested) -> None:
        """Remember what became of a source."""
        self._shelf.note_audio(ingested.audio)
        self._ledger.record_ingested(source, ingested)

    def is_current(self, source: SourceRef) -> bool:
        """Whether the bytes would tell nothing new. Raises what an earlier ingest ended with."""
        ingested = self.find_ingested(source)
        return ingested is not None and not _is_outdated(ingested)

    def find_accepted(self, request: SeparationRequest, ingested: Ingested, batch_id: str = "") -> Accepted | None:
        """The accepted result for the request about this audio, unless the request forces a new one.

        One with all stems answers whoever wants vocals alone, too, unless that is urgent: then other engines may count.
        """
        if request.force:
            return None
        accepted = self._find_accepted(request, ingested, batch_id)
        if accepted or not request.is_vocals_only or is_urgent_for_vocals(request, self._chooser.policy):
            return accepted
        return self._find_accepted(replace(request, is_vocals_only=False), ingested, batch_id)

    def _find_accepted(self, request: SeparationRequest, ingested: Ingested, batch_id: str) -> Accepted | None:
        accepted = self._ledger.find_accepted(ingested.audio.pcm_sha256, self._wish_of(request))
        if accepted is None or (batch_id and is_free_to_choose(request) and accepted.stem_set.engine == STARTER):
            return None
        is_current = self._is_current(request, accepted, is_in_batch=bool(batch_id))
        return accepted if is_current and self._shelf.use_result(accepted.stem_set) else None

    def accept(self, request: SeparationRequest, accepted: Accepted) -> None:
        """Let a result answer this wish from now on."""
        self._ledger.accept(accepted.stem_set.audio.pcm_sha256, self._wish_of(request), accepted)

    def clear_cache(
        self, older_than_days: float = DEFAULT_CLEARED_DAYS, *, is_rehearsal: bool = False
    ) -> Iterator[Cleared]:
        """Drop what nobody has used for so many days; see `CacheCare.clear_cache`."""
        return self._care.clear_cache(older_than_days, is_rehearsal=is_rehearsal)

    def stats(self) -> CacheStats:
        """What it holds."""
        return self._care.stats()

    def _wish_of(self, request: SeparationRequest) -> str:
        return wish_of(request, self._chooser.policy)

    def _is_current(self, request: SeparationRequest, accepted: Accepted, *, is_in_batch: bool) -> bool:
        """Whether the engine that would be chosen now had the first go; with no such engine up, the result stands.

        That a second engine did better changes nothing: the first one would be found wanting again.
        """
        duration_s = accepted.stem_set.audio.duration_s
        try:
            return self._chooser.would_stand(request, duration_s, accepted.first_engine_id, is_in_batch=is_in_batch)
        except Unavailable:
            return True


def _is_outdated(ingested: Ingested) -> bool:
    return ingested.ingest_version < _SAMPLES_SINCE.get(ingested.facts.codec, 1)
