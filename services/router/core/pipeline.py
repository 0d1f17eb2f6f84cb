"""The way of one track, as a list of durable stages."""

from contextlib import suppress
from dataclasses import dataclass, replace

from services.router.core.cache import StemCache
from services.router.core.choices import EngineChooser, Situation
from services.router.core.engine_runs import EngineRuns
from services.router.core.ports import (
    Accepted,
    Cancellation,
    Ingested,
    ResultLedger,
    Separators,
    Steps,
    Uploads,
    VocalFinding,
)
from services.router.core.releases import Releases
from services.router.core.routing import choose_listener
from services.router.core.second_opinion import SecondOpinion
from stemhouse.audio import AudioRef, SourceRef
from stemhouse.errors import EngineUnavailable, InputRejected, NotFound, ResultGone, Unavailable
from stemhouse.jobs import CacheHit, Job, SeparationRequest, SeparationResult
from stemhouse.vocab import Stage


@dataclass(frozen=True)
class PipelineParts:
    """What the stages ask."""

    cache: StemCache
    results: ResultLedger
    separators: Separators
    uploads: Uploads
    chooser: EngineChooser
    runs: EngineRuns
    releases: Releases


class StemPipeline:
    """Takes a job from its source to an accepted result."""

    def __init__(self, parts: PipelineParts) -> None:
        """Keep what the stages ask."""
        self._cache = parts.cache
        self._results = parts.results
        self._separators = parts.separators
        self._uploads = parts.uploads
        self._chooser = parts.chooser
        self._runs = parts.runs
        self._releases = parts.releases
        self._opinion = SecondOpinion(parts.separators, parts.chooser, parts.runs)

    def run(self, job: Job, steps: Steps) -> SeparationResult:
        """Give the job's result. Raises the StemhouseError that ends it, Cancelled among them.

        What it finds to be damaged in the store is dropped, or the next job would end in the same way.
        """
        try:
            return self._run(job, steps)
        except ResultGone as error:
            self._cache.drop_with(error.details.get("object_key", ""))
            raise

    def _run(self, job: Job, steps: Steps) -> SeparationResult:
        request = job.request
        references = steps.run(Stage.INGEST, self._ingest_all, request.references) if request.references else {}
        ingested, accepted = steps.run(Stage.LOOKUP, self.look_up_file, request, job.batch_id)
        cache_hit = CacheHit.FILE
        if ingested is None:
            ingested = steps.run(Stage.INGEST, self._ingest, request.source)
            accepted = steps.run(Stage.LOOKUP, self._cache.find_accepted, request, ingested, job.batch_id)
            cache_hit = CacheHit.PCM
        if accepted is None:
            accepted = self._separate(job, ingested, steps)
            cache_hit = CacheHit.NONE
        if references:
            quality = steps.run(Stage.ASSESS, self._separators.assess, accepted.stem_set, references)
            accepted = replace(accepted, quality=quality)
        return _result(request, ingested, accepted, cache_hit)

    def look_up_file(self, request: SeparationRequest, batch_id: str = "") -> tuple[Ingested | None, Accepted | None]:
        """What is known about the file itself, and about the request."""
        ingested = self._cache.find_ingested(request.source)
        return ingested, self._cache.find_accepted(request, ingested, batch_id) if ingested else None

    def is_ingested(self, source: SourceRef) -> bool:
        """Whether its canonical audio is stored. Raises the InputRejected that an earlier ingest ended with."""
        return self._cache.find_ingested(source) is not None

    def is_current(self, source: SourceRef) -> bool:
        """Whether it is, and by a decoder as good as today's. Raises likewise."""
        return self._cache.is_current(source)

    def require_engine(self, request: SeparationRequest, batch_id: str = "") -> None:
        """Raises EngineUnavailable if nobody has what is asked for; separators that do not answer now may have it."""
        ingested = self._cache.find_ingested(request.source)
        duration_s = ingested.audio.duration_s if ingested else None
        try:
            self._chooser.preview(request, Situation(request.source.size_bytes, batch_id, duration_s=duration_s))
        except EngineUnavailable:
            raise
        except Unavailable:
            return

    def known_result(self, request: SeparationRequest, batch_id: str = "") -> SeparationResult | None:
        """The answer, if it needs no work at all."""
        ingested, accepted = self.look_up_file(request, batch_id)
        if ingested is None or accepted is None or request.references:
            return None
        return _result(request, ingested, accepted, CacheHit.FILE)

    def detect_vocals(self, source: SourceRef, cancellation: Cancellation) -> VocalFinding:
        """How much of a source is sung. It is ingested for that, which the separation then need not do again.

        Raises NotFound for a source that was not uploaded, InputRejected, EngineUnavailable if nobody can tell.
        """
        listener = choose_listener(self._separators.survey())
        ingested = self._ingest(source)
        cancellation.raise_if_requested()
        share = self._separators.probe_vocals(ingested.audio, listener.engine_id, cancellation)
        return VocalFinding(share, listener.engine_id)

    def _separate(self, job: Job, ingested: Ingested, steps: Steps) -> Accepted:
        decision, stem_set = self._runs.first(job, ingested, steps)
        # What counts for everybody is not measured against one caller's references.
        opinion = self._opinion.form(job, ingested, decision, stem_set, steps)
        steps.run(Stage.ACCEPT, self._cache.accept, job.request, opinion.accepted)
        if opinion.loser:
            with suppress(Unavailable):  # what stays goes with the job's release
                steps.run(Stage.ACCEPT, self._releases.drop_loser, job.job_id, opinion.loser)
        return opinion.accepted

    def _ingest_all(self, references: dict[str, SourceRef]) -> dict[str, AudioRef]:
        return {stem: self._ingest(source).audio for stem, source in references.items()}

    def _ingest(self, source: SourceRef) -> Ingested:
        """Canonical audio of a source; its bytes are dropped as soon as nobody needs them any more."""
        ingested = self._cache.find_ingested(source) or self._decode_or_join(source)
        self._uploads.discard(source)
        return ingested

    def _decode_or_join(self, source: SourceRef) -> Ingested:
        """Decode, unless another job of the same file is done with it meanwhile and has dropped the bytes."""
        try:
            return self._decode(source)
        except NotFound:
            ingested = self._cache.find_ingested(source)
            if ingested is None:
                raise
            return ingested

    def _decode(self, source: SourceRef) -> Ingested:
        if not self._uploads.holds(source):
            message = f"{source.file_name} has not been uploaded"
            raise NotFound(message, {"sha256": source.sha256})
        self._cache.drop_damaged(source)
        try:
            ingested = self._separators.ingest(source)
        except InputRejected as error:
            self._results.record_rejected(source, error)
            self._uploads.discard(source)
            raise
        self._cache.record_ingested(source, ingested)
        return ingested


def _result(
    request: SeparationRequest, ingested: Ingested, accepted: Accepted, cache_hit: CacheHit
) -> SeparationResult:
    return SeparationResult(
        source=request.source,
        facts=ingested.facts,
        stem_set=accepted.stem_set,
        quality=accepted.quality,
        decision=accepted.decision,
        cache_hit=cache_hit,
        attempts=accepted.attempts,
    )
