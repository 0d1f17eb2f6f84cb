"""Fakes of the router's ports. The ledgers pass the contract suite of the SQL ones."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.router.core.ports import Accepted, Addition, Cancellation, Ingested, JobPage, JobQuery, SeparationTask
from stemhouse.audio import (
    AudioFormat,
    AudioRef,
    QualityReport,
    SourceFacts,
    SourceRef,
    StemRef,
    StemSet,
)
from stemhouse.errors import Cancelled, InvalidRequest, NotFound, RequestConflict, StemhouseError, Unavailable
from stemhouse.jobs import EngineGap, EngineOffer, EngineSurvey, Job, JobError, SeparationRequest, SeparationResult
from stemhouse.models import Model, ModelState, PullProgress
from stemhouse.vocab import BASE_STEMS, JobState, Stage

STARTER = EngineOffer("starter", "tiny", "starter-tiny-00000000", BASE_STEMS, "basic", "cpu")
DEMUCS = EngineOffer("demucs", "htdemucs", "demucs-htdemucs-11111111", BASE_STEMS, "standard", "cpu")
NO_DEMUCS = EngineGap("demucs", "no model is installed", "stemhouse models pull htdemucs")
HTDEMUCS = Model("htdemucs", "demucs", BASE_STEMS, 84_000_000, "unclear", "https://example.org", ModelState.AVAILABLE)
_START = datetime(2026, 1, 2, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_JOBS = 1_000_000
FACTS = SourceFacts("WAV", "PCM_24", 24, "fake")


def source(content: str = "a", file_name: str = "song.wav") -> SourceRef:
    """A source whose digests spell its content (one hex digit)."""
    return SourceRef(content * 64, content * 32, 1000, file_name)


def audio(content: str = "a") -> AudioRef:
    """Ten seconds of stereo whose digest spells its content."""
    digest = content * 64
    return AudioRef(f"audio/{digest}.flac", digest, AudioFormat(44100, 2), 441_000)


def stem_set(content: str = "a", offer: EngineOffer = STARTER) -> StemSet:
    """What an engine made of `audio(content)`."""
    stems = tuple(StemRef(name, f"results/{content * 64}/{offer.engine_id}/{name}.flac", 0.5) for name in offer.stems)
    return StemSet(
        audio=audio(content),
        engine=offer.name,
        model=offer.model,
        engine_id=offer.engine_id,
        stems=stems,
        gain=1.0,
        null_depth_db=-120.0,
        instrumental_peak=0.7,
        sums_to_mix=True,
        processing_s=1.0,
        device="cpu",
    )


def job(request: SeparationRequest, request_id: str = "request-1", job_id: str = "job-1") -> Job:
    """A queued job."""
    return Job(job_id, request_id, request, JobState.QUEUED, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


class FakeSeparators:
    """Separators that answer from what the test put in, and note what they were asked."""

    def __init__(self, offers: Sequence[EngineOffer] = (STARTER,)) -> None:
        self.offered = list(offers)
        self.gaps: tuple[EngineGap, ...] = ()
        self.is_silent = False
        self.is_partial = False
        self.failure: StemhouseError | None = None
        self.ingested: list[SourceRef] = []
        self.separated: list[SeparationTask] = []
        self.assessed: list[dict[str, AudioRef]] = []
        self.heard: dict[str, QualityReport] = {}
        self.verified_by: list[str] = []
        self.refusals: dict[str, StemhouseError] = {}
        self.cloud_minutes = 0.0
        self.called_off: list[SeparationTask] = []
        self.call_off_minutes: float | StemhouseError | None = None
        self.stored_bytes = 0
        self.probed: list[tuple[AudioRef, str]] = []
        self.before_ingest: Callable[[], object] = lambda: None
        self.before_result: Callable[[], object] = lambda: None

    def survey(self) -> EngineSurvey:
        """See Separators.survey."""
        if self.is_silent:
            raise Unavailable("no separator answers")
        return EngineSurvey(tuple(self.offered), self.gaps, self.is_partial)

    def ingest(self, source: SourceRef) -> Ingested:
        """The canonical audio has the first digit of the MD5 as its content: other tags, other SHA-256, same audio."""
        self.ingested.append(source)
        self.before_ingest()
        if self.failure:
            raise self.failure
        return Ingested(replace(audio(source.md5[0]), size_bytes=self.stored_bytes), FACTS)

    def separate(
        self, task: SeparationTask, on_progress: Callable[[float], None], cancellation: Cancellation
    ) -> StemSet:
        """See Separators.separate."""
        self.separated.append(task)
        on_progress(0.5)
        self.before_result()
        if task.engine_id in self.refusals:
            raise self.refusals[task.engine_id]
        cancellation.raise_if_requested()
        offer = next(offer for offer in self.offered if offer.engine_id == task.engine_id)
        made = stem_set(task.audio.pcm_sha256[0], offer)
        stems = tuple(replace(stem, size_bytes=self.stored_bytes) for stem in made.stems)
        made = replace(made, audio=task.audio, stems=stems)
        return replace(made, cloud_minutes=self.cloud_minutes) if task.order else made

    def call_off(self, task: SeparationTask) -> float | None:
        """See Separators.call_off."""
        self.called_off.append(task)
        if isinstance(self.call_off_minutes, StemhouseError):
            raise self.call_off_minutes
        return self.call_off_minutes

    def probe_vocals(self, audio: AudioRef, engine_id: str, cancellation: Cancellation) -> float:
        """See Separators.probe_vocals."""
        cancellation.raise_if_requested()
        self.probed.append((audio, engine_id))
        return 0.25

    def assess(self, stem_set: StemSet, references: dict[str, AudioRef], verifier_engine_id: str = "") -> QualityReport:
        """See Separators.assess. Without references as `heard` has it for the engine, the verifier noted."""
        self.assessed.append(references)
        self.verified_by.append(verifier_engine_id)
        if verifier_engine_id in self.refusals:
            raise self.refusals[verifier_engine_id]
        if references:
            return QualityReport("si_sdr")
        return replace(self.heard.get(stem_set.engine_id, QualityReport("none")), verifier_id=verifier_engine_id)


class FakeModels:
    """Models of which `htdemucs` can be pulled; notes what was added."""

    def __init__(self) -> None:
        self.state = ModelState.AVAILABLE
        self.failure: StemhouseError | None = None
        self.added: list[Addition] = []
        self.while_verifying: Callable[[Cancellation], object] = lambda _: None

    def models(self) -> list[Model]:
        """See Models.models."""
        return [replace(HTDEMUCS, state=self.state)]

    def pull(self, name: str, cancellation: Cancellation) -> Iterator[PullProgress | Model]:
        """See Models.pull."""
        if name != HTDEMUCS.name:
            raise NotFound(f"no model {name} in the catalogue")
        cancellation.raise_if_requested()
        yield PullProgress("weights.safetensors", 1, 2)
        self.state = ModelState.INSTALLED
        yield from self.models()

    def verify(self, names: Sequence[str], cancellation: Cancellation) -> list[Model]:
        """See Models.verify."""
        self.while_verifying(cancellation)
        return [model for model in self.models() if not names or model.name in names]

    def add(self, addition: Addition, cancellation: Cancellation) -> Model:
        """See Models.add."""
        if self.failure:
            raise self.failure
        self.added.append(addition)
        note = addition.licence_note
        return replace(HTDEMUCS, name=addition.name, licence_note=note, state=ModelState.INSTALLED)


class MemoryUploads:
    """Uploads that only remember which sources there are."""

    def __init__(self, *sources: SourceRef) -> None:
        self.held = set(sources)

    def receive(self, file_name: str, chunks: Iterable[bytes]) -> SourceRef:
        """See Uploads.receive."""
        size_bytes = sum(len(chunk) for chunk in chunks)
        received = replace(source(file_name=file_name), size_bytes=size_bytes)
        self.held.add(received)
        return received

    def holds(self, source: SourceRef) -> bool:
        """See Uploads.holds."""
        return source in self.held

    def discard(self, source: SourceRef) -> None:
        """See Uploads.discard."""
        self.held.discard(source)


class MemoryResultLedger:
    """ResultLedger in dictionaries."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, str], Ingested | StemhouseError] = {}
        self._accepted: dict[tuple[str, str], Accepted] = {}

    def find_ingested(self, source: SourceRef) -> Ingested | None:
        """See ResultLedger.find_ingested."""
        found = self._sources.get((source.md5, source.sha256))
        if isinstance(found, StemhouseError):
            raise found
        return found

    def record_ingested(self, source: SourceRef, ingested: Ingested) -> None:
        """See ResultLedger.record_ingested."""
        self._sources[source.md5, source.sha256] = ingested

    def record_rejected(self, source: SourceRef, error: StemhouseError) -> None:
        """See ResultLedger.record_rejected."""
        self._sources[source.md5, source.sha256] = error

    def find_accepted(self, pcm_sha256: str, wish: str) -> Accepted | None:
        """See ResultLedger.find_accepted."""
        return self._accepted.get((pcm_sha256, wish))

    def accept(self, pcm_sha256: str, wish: str, accepted: Accepted) -> None:
        """See ResultLedger.accept."""
        self._accepted[pcm_sha256, wish] = accepted

    def counts(self, pcm_sha256: str, engine_id: str) -> bool:
        """See ResultLedger.counts."""
        kept = [accepted for (audio, _), accepted in self._accepted.items() if audio == pcm_sha256]
        return any(accepted.stem_set.engine_id == engine_id for accepted in kept)


class _MemoryCancellation:
    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.is_requested = False
        self.stops: list[Callable[[], object]] = []

    def raise_if_requested(self) -> None:
        """See Cancellation.raise_if_requested."""
        if self.is_requested:
            raise Cancelled(f"job {self.job_id} was cancelled")

    def on_request(self, stop: Callable[[], object]) -> None:
        """See Cancellation.on_request."""
        self.stops.append(stop)
        if self.is_requested:
            stop()


class MemoryJobLedger:
    """JobLedger in a dictionary; `queued` lists the ids put into the queue."""

    def __init__(self) -> None:
        self.queued: list[str] = []
        self._jobs: dict[str, Job] = {}
        self._cancellations: dict[str, _MemoryCancellation] = {}
        self._changed = threading.Condition()
        self._change_count = 0

    def create(self, job: Job, *, is_queued: bool) -> Job:
        """See JobLedger.create."""
        with self._changed:
            known = self.find(job.request_id, job.request)
            if known:
                return known
            self._jobs[job.job_id] = replace(job, updated_at=self._next_time())
            if is_queued:
                self.queued.append(job.job_id)
            return self._jobs[job.job_id]

    def find(self, request_id: str, request: SeparationRequest) -> Job | None:
        """See JobLedger.find."""
        for known in self._jobs.values():
            if known.request_id == request_id:
                if known.request != request:
                    raise RequestConflict("request_id was used for another request")
                return known
        return None

    def get(self, job_id: str) -> Job:
        """See JobLedger.get."""
        if job_id not in self._jobs:
            raise NotFound(f"no job {job_id}")
        return self._jobs[job_id]

    def page(self, page_size: int, page_token: str, query: JobQuery) -> JobPage:
        """See JobLedger.page."""
        if page_token and not page_token.isdecimal():
            raise InvalidRequest("page_token is not one that this service gave")
        places = self._places(query)
        listed = sorted((places[job_id], job_id) for job_id in places if places[job_id] > int(page_token or 0))
        shown = listed[:page_size]
        token = str(shown[-1][0]) if len(listed) > page_size else ""
        return JobPage(tuple(self._jobs[job_id] for _, job_id in shown), token)

    def _places(self, query: JobQuery) -> dict[str, int]:
        """Where each job of the query comes in its order, by job id."""
        places = {}
        for number, (job_id, job) in enumerate(self._jobs.items()):
            assert job.updated_at is not None
            is_meant = query.batch_id in ("", job.batch_id) and (not query.states or job.state in query.states)
            if is_meant and query.updated_after is None:
                places[job_id] = _MOST_JOBS - number
            elif is_meant and query.updated_after is not None and job.updated_at > query.updated_after:
                places[job_id] = (job.updated_at - _START) // _MICROSECOND
        return places

    def _next_time(self) -> datetime:
        self._change_count += 1
        return _START + self._change_count * _MICROSECOND

    def wait(self, job_id: str, after_sequence: int, timeout_s: float) -> Job:
        """See JobLedger.wait."""
        with self._changed:
            self._changed.wait_for(lambda: self.get(job_id).sequence > after_sequence, timeout_s)
            return self.get(job_id)

    def begin_stage(self, job_id: str, stage: Stage) -> None:
        """See JobLedger.begin_stage."""
        self._change(job_id, state=JobState.RUNNING, stage=stage, progress=0.0)

    def report_progress(self, job_id: str, share: float) -> None:
        """See JobLedger.report_progress."""
        self._change(job_id, progress=share)

    def finish(
        self, job_id: str, state: JobState, *, result: SeparationResult | None = None, error: JobError | None = None
    ) -> None:
        """See JobLedger.finish."""
        ended_at = datetime(2026, 1, 2, tzinfo=UTC)
        self._change(job_id, state=state, result=result, error=error, ended_at=ended_at)

    def request_cancel(self, job_id: str) -> Job:
        """See JobLedger.request_cancel."""
        self.get(job_id)
        self._change(job_id)
        if self.get(job_id).state is JobState.QUEUED:
            self.finish(job_id, JobState.CANCELLED)
        cancellation = self.cancellation(job_id)
        cancellation.is_requested = True
        for stop in cancellation.stops:
            stop()
        return self.get(job_id)

    def cancellation(self, job_id: str) -> _MemoryCancellation:
        """See JobLedger.cancellation."""
        return self._cancellations.setdefault(job_id, _MemoryCancellation(job_id))

    def _change(self, job_id: str, **values: Any) -> None:
        with self._changed:
            known = self.get(job_id)
            if not known.state.is_final:
                self._jobs[job_id] = replace(known, sequence=known.sequence + 1, updated_at=self._next_time(), **values)
            self._changed.notify_all()


class InlineSteps:
    """Steps that run at once and record nothing but the stages' names."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def run(self, stage: Stage, action: Callable[..., Any], *arguments: object) -> Any:
        """See Steps.run."""
        self.stages.append(stage)
        return action(*arguments)


class FakeSpeeds:
    """Speeds that the test says."""

    def __init__(self) -> None:
        self.by_engine: dict[str, float] = {}

    def audio_s_per_s(self, engine_id: str) -> float | None:
        """See Speeds.audio_s_per_s."""
        return self.by_engine.get(engine_id)
