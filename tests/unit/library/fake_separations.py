"""A router for batches: what it was asked, and jobs that end when they are looked at."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from stemhouse.audio import AudioFormat, AudioRef, QualityReport, SourceFacts, SourceRef, StemRef, StemSet
from stemhouse.errors import RequestConflict, StemhouseError
from stemhouse.jobs import (
    CacheHit,
    Decision,
    EngineGap,
    EngineOffer,
    EngineSurvey,
    Job,
    JobError,
    SeparationRequest,
    SeparationResult,
)
from stemhouse.vocab import BASE_STEMS, JobState

DEMUCS = EngineOffer("demucs", "htdemucs", "demucs-htdemucs-0", BASE_STEMS, "full", "cpu")
STARTER = EngineOffer("starter", "tiny", "starter-tiny-0", BASE_STEMS, "basic", "cpu")
NO_DEMUCS = EngineGap("demucs", "no model is installed", "stemhouse models pull htdemucs")
TRACK_S = 200.0
MIX_BYTES = 6_000
STEM_BYTES = 5_000
TRACK_BYTES = 1000
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class FakeSeparations:
    """Separations: each look at the jobs ends one job, in the order of their submission."""

    survey_now: EngineSurvey = field(default_factory=lambda: EngineSurvey((STARTER, DEMUCS)))
    jobs_by_request: dict[str, Job] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    upload_errors: dict[str, StemhouseError] = field(default_factory=dict)
    job_errors: dict[str, JobError] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    release_error: StemhouseError | None = None
    outage: StemhouseError | None = None
    submit_error: StemhouseError | None = None
    cache_hit: CacheHit = CacheHit.NONE
    vocal_share: float | None = None
    damages: dict[str, str] = field(default_factory=dict)
    probed_shares: dict[str, float] = field(default_factory=dict)
    probe_error: StemhouseError | None = None
    probed: list[str] = field(default_factory=list)
    ended_per_look: int = 1
    begun_per_look: int = 0
    most_open: int = 0
    clock: Callable[[], float] = lambda: 0.0
    asked_at_s: list[float] = field(default_factory=list)

    def survey(self) -> EngineSurvey:
        """See Separations.survey."""
        self._answer()
        return self.survey_now

    def sha256(self, path: str) -> str:
        """See Separations.sha256."""
        return self.contents.get(path, path)

    def upload(self, path: str) -> SourceRef:
        """See Separations.upload."""
        self._answer()
        if path in self.upload_errors:
            raise self.upload_errors[path]
        self.uploads.append(path)
        return SourceRef(self.contents.get(path, path), "0" * 32, TRACK_BYTES, path)

    def detect_vocals(self, source: SourceRef) -> float:
        """See Separations.detect_vocals; nobody sings in a track of which nothing was said."""
        self._answer()
        self.probed.append(source.file_name)
        if self.probe_error:
            raise self.probe_error
        return self.probed_shares.get(source.file_name, 0.0)

    def submit(self, request: SeparationRequest, request_id: str, batch_id: str) -> Job:
        """See Separations.submit."""
        self._answer()
        if self.submit_error:
            raise self.submit_error
        known = self.jobs_by_request.get(request_id)
        if known:
            if known.request != request:
                raise RequestConflict(request_id)
            return known
        job = Job(f"job-{len(self.jobs_by_request) + 1}", request_id, request, JobState.QUEUED, BEGIN)
        self.jobs_by_request[request_id] = replace(job, batch_id=batch_id)
        self.most_open = max(self.most_open, len(self._open()))
        return job

    def jobs(self, batch_id: str, job_ids: Collection[str]) -> Mapping[str, Job]:
        """See Separations.jobs."""
        self._answer()
        for job in self._open()[: self.ended_per_look]:
            self._end(job)
        for job in self._open()[: self.begun_per_look]:
            self.jobs_by_request[job.request_id] = replace(job, state=JobState.RUNNING)
        return {job.job_id: job for job in self.jobs_by_request.values() if job.job_id in job_ids}

    def cancel(self, job_id: str) -> None:
        """See Separations.cancel."""
        self._answer()
        for job in self._open():
            if job.job_id == job_id:
                self.jobs_by_request[job.request_id] = replace(job, state=JobState.CANCELLED)

    def release(self, job_id: str) -> None:
        """See Separations.release."""
        self._answer()
        if self.release_error:
            raise self.release_error
        self.released += [job.request.source.file_name for job in self.jobs_by_request.values() if job.job_id == job_id]

    @property
    def order(self) -> list[str]:
        """Paths in the order of their submission."""
        return [job.request.source.file_name for job in self.jobs_by_request.values()]

    def _open(self) -> list[Job]:
        return [job for job in self.jobs_by_request.values() if not job.state.is_final]

    def _end(self, job: Job) -> None:
        path = job.request.source.file_name
        error = self.job_errors.get(path)
        ended = replace(job, state=JobState.FAILED, error=error) if error else replace(job, state=JobState.DONE)
        result = result_of(job.request.source, self.cache_hit, self.vocal_share, self.damages.get(path, ""))
        self.jobs_by_request[job.request_id] = replace(ended, result=None if error else result)

    def _answer(self) -> None:
        self.asked_at_s.append(self.clock())
        if self.outage:
            raise self.outage


def result_of(
    source: SourceRef, cache_hit: CacheHit = CacheHit.NONE, vocal_share: float | None = None, damage: str = ""
) -> SeparationResult:
    """TRACK_S seconds of demucs."""
    stem_set = StemSet(
        audio=AudioRef("audio/a.flac", "a" * 64, AudioFormat(100, 2), round(TRACK_S * 100), size_bytes=MIX_BYTES),
        engine=DEMUCS.name,
        model=DEMUCS.model,
        engine_id=DEMUCS.engine_id,
        stems=tuple(StemRef(name, f"results/{name}.flac", 0.5, STEM_BYTES) for name in BASE_STEMS),
        gain=1.0,
        null_depth_db=-120.0,
        instrumental_peak=0.5,
        sums_to_mix=True,
        processing_s=1.0,
        device="cpu",
        vocal_share=vocal_share,
    )
    decision = Decision(DEMUCS.name, DEMUCS.engine_id, ("asked for",))
    facts = SourceFacts("MP3", "MP3", 0, "fake", damage=damage)
    return SeparationResult(source, facts, stem_set, QualityReport("none"), decision, cache_hit)
