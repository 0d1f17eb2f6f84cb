"""What the router's core asks of the world, and the values that pass between them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from stemhouse.audio import INGEST_VERSION, AudioRef, QualityReport, SourceFacts, SourceRef, StemSet
from stemhouse.cloud import CloudAccount, CloudOrder
from stemhouse.errors import StemhouseError
from stemhouse.jobs import (
    DEFAULT_PRIORITY,
    Attempt,
    Decision,
    EngineSurvey,
    Job,
    JobError,
    SeparationRequest,
    SeparationResult,
)
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
    """A result that counts for a wish: the stems, how good they are, and why that engine made them.

    `attempts` are all engines that had a go, in order; empty for results of routers that did not note them.
    """

    stem_set: StemSet
    quality: QualityReport
    decision: Decision
    attempts: tuple[Attempt, ...] = ()

    @property
    def first_engine_id(self) -> str:
        """The engine that was chosen before anything was heard: another one may have made what counts."""
        return (self.attempts[0].decision if self.attempts else self.decision).engine_id


@dataclass(frozen=True)
class SeparationTask:
    """What a separator is asked to compute. `force`: even if the result is stored; `order`: for a cloud engine.

    `priority` is that of the job: where there is not room for all, the lowest goes first.
    """

    audio: AudioRef
    engine_id: str
    sum_to_mix: bool
    force: bool
    order: CloudOrder | None = None
    priority: int = DEFAULT_PRIORITY


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

    def call_off(self, task: SeparationTask) -> float | None:
        """End at the service what was begun for an order whose job was cancelled: what it has cost in minutes.

        None if nobody can know. The call of `separate` must have ended. Raises Unavailable.
        """

    def assess(self, stem_set: StemSet, references: dict[str, AudioRef], verifier_engine_id: str = "") -> QualityReport:
        """Measure stems against references, where there are any, or tell how good they seem to be.

        A verifier separates a mix of the stems once more for that; empty: none is asked.
        """

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

    def counts(self, pcm_sha256: str, engine_id: str) -> bool:
        """Whether an engine's result of this audio counts for any wish."""


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


class OrderEnd(StrEnum):
    """What became of a cloud order: its cost is known, or nobody knows it."""

    SETTLED = "settled"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class CloudWish:
    """An order that a job asks for: at most so many minutes, for this audio by this engine, on that day (UTC).

    `batch` is the batch whose cap counts, or the job itself; `engine_id` names the samples (audio.result_id).
    """

    account: str
    job_id: str
    batch: str
    engine_id: str
    pcm_sha256: str
    minutes: float
    day: date


@dataclass(frozen=True)
class CloudBooks:
    """What was spent, in minutes, when an order is weighed: of the account today, of the batch whatever the day.

    `minutes_open` is what the account's service may not have counted yet: what is at work, and uncertain since today.
    """

    is_allowed: bool = False
    minutes_per_day: float = 0.0
    minutes_today: float = 0.0
    minutes_of_batch: float = 0.0
    minutes_open: float = 0.0


class CloudLedger(Protocol):
    """Cloud accounts, and every order that was given. Survives everything.

    An order is open until it is settled; open and settled ones count as spent on the day of their last reservation.
    """

    def accounts(self, day: date) -> Sequence[CloudAccount]:
        """Those that were allowed, now or before, with what they have spent; nobody here knows what they have left."""

    def allow(self, account: str, *, is_allowed: bool, minutes_per_day: float) -> None:
        """Remember it."""

    def books(self, account: str, batch: str, day: date) -> CloudBooks:
        """What was spent so far."""

    def reserve(self, wish: CloudWish, new_key: str, weigh: Callable[[CloudBooks], None]) -> CloudOrder:
        """The open order for the audio and engine of a wish, or else a new one, with `new_key`.

        `weigh` raises if the books, which do not count that order, have no room for it. Nothing else is reserved
        between its look and the writing. A repetition by the same job on the same day is not weighed again.
        """

    def rehearse(self, wish: CloudWish, weigh: Callable[[CloudBooks], None]) -> None:
        """Weigh the wish as `reserve` would a new job's, and reserve nothing."""

    def doubt(self, wish: CloudWish) -> None:
        """Let the order that the wish's job has at work, if any, be uncertain: on another day it got no room again."""

    def close(self, idempotency_key: str, end: OrderEnd, minutes: float) -> None:
        """Note what became of an order, and what it cost. One that is settled stays so, at its highest cost."""

    def close_uncertain(self, account: str, *, were_charged: bool) -> None:
        """Settle all uncertain orders of an account, at their minutes or at none."""


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
