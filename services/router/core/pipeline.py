"""The way of one track, as a list of durable stages."""

from collections.abc import Callable
from dataclasses import replace

from services.router.core.cache import StemCache
from services.router.core.ports import (
    Accepted,
    Cancellation,
    Ingested,
    JobLedger,
    ResultLedger,
    SeparationTask,
    Separators,
    Steps,
    Uploads,
    VocalFinding,
)
from services.router.core.routing import Failure, choose_engine, choose_listener
from stemhouse.audio import AudioRef, SourceRef, StemSet
from stemhouse.errors import EngineUnavailable, InputRejected, NotFound, Unavailable
from stemhouse.jobs import CacheHit, Decision, Job, SeparationRequest, SeparationResult
from stemhouse.vocab import AUTO_ENGINE, Stage

_MOST_FAILURES = 5
"""Engines that `auto` tries in vain before it gives up: whoever has more damaged models has another problem."""


class StemPipeline:
    """Takes a job from its source to an accepted result."""

    def __init__(
        self, cache: StemCache, results: ResultLedger, jobs: JobLedger, separators: Separators, uploads: Uploads
    ) -> None:
        """Keep what the stages ask."""
        self._cache = cache
        self._results = results
        self._jobs = jobs
        self._separators = separators
        self._uploads = uploads

    def run(self, job: Job, steps: Steps) -> SeparationResult:
        """Give the job's result. Raises the StemhouseError that ends it, Cancelled among them."""
        request = job.request
        references = steps.run(Stage.INGEST, self._ingest_all, request.references) if request.references else {}
        ingested, accepted = steps.run(Stage.LOOKUP, self.look_up_file, request)
        cache_hit = CacheHit.FILE
        if ingested is None:
            ingested = steps.run(Stage.INGEST, self._ingest, request.source)
            accepted = steps.run(Stage.LOOKUP, self._cache.find_accepted, request, ingested)
            cache_hit = CacheHit.PCM
        if accepted is None:
            accepted = self._separate(job, ingested, steps)
            cache_hit = CacheHit.NONE
        if references:
            quality = steps.run(Stage.ASSESS, self._separators.assess, accepted.stem_set, references)
            accepted = replace(accepted, quality=quality)
        return _result(request, ingested, accepted, cache_hit)

    def look_up_file(self, request: SeparationRequest) -> tuple[Ingested | None, Accepted | None]:
        """What is known about the file itself, and about the request."""
        ingested = self._cache.find_ingested(request.source)
        return ingested, self._cache.find_accepted(request, ingested) if ingested else None

    def is_ingested(self, source: SourceRef) -> bool:
        """Whether its canonical audio is stored. Raises the InputRejected that an earlier ingest ended with."""
        return self._cache.find_ingested(source) is not None

    def is_current(self, source: SourceRef) -> bool:
        """Whether it is, and by a decoder as good as today's. Raises likewise."""
        return self._cache.is_current(source)

    def require_engine(self, request: SeparationRequest) -> None:
        """Raises EngineUnavailable if nobody has what is asked for; separators that do not answer now may have it."""
        try:
            self._choose(request)
        except EngineUnavailable:
            raise
        except Unavailable:
            return

    def known_result(self, request: SeparationRequest) -> SeparationResult | None:
        """The answer, if it needs no work at all."""
        ingested, accepted = self.look_up_file(request)
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
        request = job.request
        decision, stem_set = self._stems(job, ingested, steps)
        quality = steps.run(Stage.ASSESS, self._separators.assess, stem_set, {})
        # What counts for everybody is not measured against one caller's references.
        accepted = Accepted(stem_set, quality, decision)
        steps.run(Stage.ACCEPT, self._cache.accept, request, accepted)
        return accepted

    def _stems(self, job: Job, ingested: Ingested, steps: Steps) -> tuple[Decision, StemSet]:
        """The stems of the first engine that can be used: a model may turn out to be damaged when it is loaded.

        That it is still offered then, say by a volume that cannot be written to, makes no difference.
        """
        request = job.request
        failures: list[Failure] = []
        while True:
            decision = steps.run(Stage.CHOOSE, self._choose, request, tuple(failures))
            try:
                return decision, steps.run(Stage.SEPARATE, self._separator_run(job), request, ingested, decision)
            except EngineUnavailable as error:
                failures.append(Failure(decision, error.message))
                if request.engine != AUTO_ENGINE or request.model or len(failures) == _MOST_FAILURES:
                    raise

    def _choose(self, request: SeparationRequest, failures: tuple[Failure, ...] = ()) -> Decision:
        return choose_engine(request, self._separators.survey(), failures)

    def _separator_run(self, job: Job) -> Callable[[SeparationRequest, Ingested, Decision], StemSet]:
        def separate(request: SeparationRequest, ingested: Ingested, decision: Decision) -> StemSet:
            return self._separators.separate(
                SeparationTask(ingested.audio, decision.engine_id, request.sum_to_mix, request.force),
                on_progress=lambda share: self._jobs.report_progress(job.job_id, share),
                cancellation=self._jobs.cancellation(job.job_id),
            )

        return separate

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
        try:
            ingested = self._separators.ingest(source)
        except InputRejected as error:
            self._results.record_rejected(source, error)
            self._uploads.discard(source)
            raise
        self._results.record_ingested(source, ingested)
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
    )
