"""What the router's core asks of the world, and the values that pass between them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from stemhouse.audio import INGEST_VERSION, AudioRef, QualityReport, SourceFacts, SourceRef, StemSet
from stemhouse.errors import StemhouseError
from stemhouse.jobs import Decision, EngineSurvey, Job, JobError, SeparationRequest, SeparationResult
from stemhouse.models import Model, PullProgress
from stemhouse.vocab import JobState, Stage

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Ingested:
    """What became of a source: canonical audio, what decoding told, and which version of ingest it was."""

    audio: AudioRef
    facts: SourceFacts
    ingest_version: int = INGEST_VERSION


@dataclass(frozen=True)
class Accepted:
    """A result that counts for a wish: the stems, how good they are, and why that engine made them."""

    stem_set: StemSet
    quality: QualityReport
    decision: Decision


@dataclass(frozen=True)
class SeparationTask:
    """What a separator is asked to compute. `force`: even if the result is stored."""

    audio: AudioRef
    engine_id: str
    sum_to_mix: bool
    force: bool


@dataclass(frozen=True)
class VocalFinding:
    """The share of a track's excerpts in which somebody sings, 0 to 1, and whose ears say so."""

    sung_share: float
    engine_id: str


@dataclass(frozen=True)
class JobQuery:
    """Which jobs to list: in any of `states` (none: in all), of a batch (empty: of all), and how.

    With `updated_after` those that changed later, in the order of their changes: to go on from the last job seen misses
    nothing. Without it the newest come first.
    """

    states: tuple[JobState, ...] = ()
    batch_id: str = ""
    updated_after: datetime | None = None


@dataclass(frozen=True)
class JobPage:
    """Some jobs; an empty token ends the listing."""

    jobs: tuple[Job, ...]
    next_page_token: str


@dataclass(frozen=True)
class Addition:
    """A model of one's own: its files have been uploaded."""

    name: str
    files: tuple[SourceRef, ...]
    licence_note: str = ""


class Cancellation(Protocol):
    """Somebody may want a job, or a call, to stop."""

    def raise_if_requested(self) -> None:
        """Raise Cancelled if so."""

    def on_request(self, stop: Callable[[], object]) -> None:
        """Call `stop` once, from any thread, as soon as it is requested (at once if it has been)."""


class Separators(Protocol):
    """The separators that answer. Every method raises Unavailable while none does."""

    def survey(self) -> EngineSurvey:
        """Engines that can be asked for now, an engine's better models first, and what is missing.

        The same engine id of several separators is listed once; an engine that any of them offers has no gap. It is
        partial while any of them does not answer.
        """

    def ingest(self, source: SourceRef) -> Ingested:
        """Decode a stored source. Raises InputRejected."""

    def separate(
        self, task: SeparationTask, on_progress: Callable[[float], None], cancellation: Cancellation
    ) -> StemSet:
        """Separate on the least-loaded separator that has the engine. Raises Cancelled."""

    def assess(self, stem_set: StemSet, references: dict[str, AudioRef]) -> QualityReport:
        """Measure stems against references, where there are any."""

    def probe_vocals(self, audio: AudioRef, engine_id: str, cancellation: Cancellation) -> float:
        """The share of the audio's excerpts in which somebody sings, by the ears of an engine. Raises Cancelled."""


class Models(Protocol):
    """The models of all separators; one counts as installed where every separator has it.

    Every method raises Unavailable unless all separators answer, and Cancelled where that is asked for.
    """

    def models(self) -> list[Model]:
        """Those of the catalogues, and others that are installed."""

    def pull(self, name: str, cancellation: Cancellation) -> Iterator[PullProgress | Model]:
        """Install a model of the catalogue: progress, at least every few seconds, then the model.

        Raises NotFound and ModelRejected.
        """

    def verify(self, names: Sequence[str], cancellation: Cancellation) -> list[Model]:
        """Read installed models (none named: all) from end to end. Raises NotFound for one that none has."""

    def add(self, addition: Addition, cancellation: Cancellation) -> Model:
        """Install a model from stored files.

        Raises ModelRejected for files that are no model, and for a name that is taken; it says if some separators have
        installed it.
        """


class ResultLedger(Protocol):
    """What is known about sources, and which results count. Survives everything."""

    def find_ingested(self, source: SourceRef) -> Ingested | None:
        """By MD5, with the SHA-256 beside it. Raises the InputRejected that an earlier ingest ended with.

        A rejection by an older version of ingest is forgotten: the file may be one that is taken now.
        """

    def record_ingested(self, source: SourceRef, ingested: Ingested) -> None:
        """Remember it; once more is no error."""

    def record_rejected(self, source: SourceRef, error: StemhouseError) -> None:
        """Remember that the source cannot be read."""

    def find_accepted(self, pcm_sha256: str, wish: str) -> Accepted | None:
        """The result that counts for a wish about this audio."""

    def accept(self, pcm_sha256: str, wish: str, accepted: Accepted) -> None:
        """Let a result count from now on: one row for (audio, wish), whoever else tries."""


class JobLedger(Protocol):
    """Jobs. A final job never changes again: later changes are ignored.

    Each change gives the job an `updated_at` that is later than that of any other change before.
    """

    def create(self, job: Job, *, is_queued: bool) -> Job:
        """Add a job and, with it or not at all, its place in the queue: by priority, then by order of creation.

        Gives the existing job if its request_id is known; raises RequestConflict if that one wished for something else.
        """

    def find(self, request_id: str, request: SeparationRequest) -> Job | None:
        """The job that the request made before; raises RequestConflict if the id came with another wish."""

    def get(self, job_id: str) -> Job:
        """The job as it stands; raises NotFound."""

    def page(self, page_size: int, page_token: str, query: JobQuery) -> JobPage:
        """A page of the jobs that the query means; raises InvalidRequest for a token that is not of such a query."""

    def wait(self, job_id: str, after_sequence: int, timeout_s: float) -> Job:
        """The job, as soon as its sequence is above `after_sequence` or the time is over; raises NotFound."""

    def begin_stage(self, job_id: str, stage: Stage) -> None:
        """The job is running, and here."""

    def report_progress(self, job_id: str, share: float) -> None:
        """Share (0 to 1) of the current stage; kept often enough for people, not each time."""

    def finish(
        self, job_id: str, state: JobState, *, result: SeparationResult | None = None, error: JobError | None = None
    ) -> None:
        """End the job."""

    def request_cancel(self, job_id: str) -> Job:
        """Remember that the job shall stop; one that still waits is CANCELLED at once. Raises NotFound."""

    def cancellation(self, job_id: str) -> Cancellation:
        """The job's cancellation, as its runner watches it."""


class Uploads(Protocol):
    """Uploaded bytes of one purpose on their way into the store."""

    def receive(self, file_name: str, chunks: Iterable[bytes]) -> SourceRef:
        """Store the bytes under their SHA-256. Raises InvalidRequest if they are too many."""

    def holds(self, source: SourceRef) -> bool:
        """Whether the store has the bytes."""

    def discard(self, source: SourceRef) -> None:
        """Remove the bytes; they have done their duty."""


@dataclass(frozen=True)
class Intake:
    """Where uploads go by their purpose: what one drops is never what the other still needs."""

    tracks: Uploads
    models: Uploads


class Steps(Protocol):
    """Runs the stages of one job so that a finished one is never run again, whatever is killed."""

    def run(self, stage: Stage, action: Callable[..., Outcome], *arguments: object) -> Outcome:
        """The action's outcome: now, or as it was recorded before a restart.

        Tries again while things are Unavailable, for two minutes. Raises what the action raises.
        """
