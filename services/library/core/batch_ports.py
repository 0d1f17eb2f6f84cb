"""What working through a library asks of the world, and the values that pass between core and adapters."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.library.core.ports import FileStamp
from stemhouse.audio import SourceRef
from stemhouse.batches import Batch, BatchItem, BatchSpec, BatchState, ItemState
from stemhouse.jobs import EngineSurvey, Job, SeparationRequest, SeparationResult


@dataclass(frozen=True)
class Export:
    """Files that were delivered: their folder, their sizes by name, and the playing time of the track.

    `source_sha256` is that of the file that they were made of, `audio_sha256` that of its audio without tags; empty if
    nobody knows. `damage` says what is missing of it; see `stemhouse.batches.BatchItem`.
    """

    folder: str
    file_sizes_bytes: dict[str, int] = field(default_factory=dict)
    audio_s: float = 0.0
    source_sha256: str = ""
    audio_sha256: str = ""
    damage: str = ""


@dataclass(frozen=True)
class ExportKey:
    """What files were made of: a source as it was, and what was wished for, as `exports.wish_of` writes it.

    Wishes of one `size_class` make files of about the same size for each second of audio.
    """

    path: str
    stamp: FileStamp
    wish: str
    size_class: str


@dataclass(frozen=True)
class BatchRun:
    """A batch and the engine that its jobs ask for; the spec may leave that open."""

    batch: Batch
    engine: str


@dataclass(frozen=True)
class BatchPage:
    """Batches, newest first; an empty token ends the listing."""

    batches: tuple[Batch, ...]
    next_page_token: str


@dataclass(frozen=True)
class ItemPage:
    """Items in the order of work; an empty token ends the listing."""

    items: tuple[BatchItem, ...]
    next_page_token: str


@dataclass(frozen=True)
class Remainder:
    """What a batch still has to do."""

    track_count: int
    audio_s: float


@dataclass(frozen=True)
class Outlook:
    """What is told of a batch's course; see `stemhouse.batches.Batch`."""

    tracks_per_hour: float | None = None
    remaining_s: float | None = None
    hindrance: str = ""


@dataclass(frozen=True)
class Volume:
    """A volume as the operating system tells it from others; `folder` is one that exists on it."""

    identity: str
    folder: str
    free_bytes: int | None


class BatchStore(Protocol):
    """Remembers batches and their items. Every method raises Unavailable if the database does not answer.

    What a method has written survives whatever is killed after it; each method writes all or nothing, and each change
    gives the batch a higher `sequence`. Methods that name a batch raise NotFound if there is none.

    The `job_id` of a WAITING or CANCELLED item is that of a job which is still to be withdrawn.
    """

    def create(self, run: BatchRun, items: Iterable[BatchItem]) -> Batch:
        """Add a batch with its items, which may be many; gives the existing batch if its request id is known."""

    def find(self, request_id: str) -> Batch | None:
        """The batch that a request has made."""

    def run(self, batch_id: str) -> BatchRun:
        """The batch as it stands, with its counts."""

    def page(self, page_size: int, page_token: str) -> BatchPage:
        """A page of batches; raises InvalidRequest for a foreign token."""

    def unfinished(self) -> Sequence[str]:
        """Batches that are RUNNING, or have active items or jobs to be withdrawn."""

    def items(
        self, batch_id: str, states: Collection[ItemState], *, after_place: int = 0, limit: int
    ) -> Sequence[BatchItem]:
        """The first items in the states (none given: in any) behind a place, in order."""

    def waiting(self, batch_id: str, *, limit: int) -> Sequence[BatchItem]:
        """The first WAITING items without a job to be withdrawn, in order."""

    def recalled(self, batch_id: str) -> Sequence[BatchItem]:
        """Items whose job is still to be withdrawn."""

    def stamps(self, batch_id: str) -> Mapping[str, FileStamp]:
        """The stamp of the last item of each path."""

    def append(self, batch_id: str, items: Iterable[BatchItem]) -> None:
        """Add items behind the others; their places are given here."""

    def change(
        self, batch_id: str, before: BatchItem, after: BatchItem, exported: tuple[ExportKey, Export] | None = None
    ) -> bool:
        """Write an item if its state and attempt still are those of `before`: whether it was written.

        The files of `exported` are remembered in any case: they are there.
        """

    def remainder(self, batch_id: str) -> Remainder:
        """The items that are not final."""

    def set_state(self, batch_id: str, state: BatchState, *, among: Collection[BatchState]) -> bool:
        """Change the state if it is one of `among`: whether it was."""

    def cancel(self, batch_id: str, ended_at: datetime) -> bool:
        """CANCELLED, and with it every item that is not final; only if RUNNING or PAUSED."""

    def retry(self, batch_id: str) -> bool:
        """Let FAILED and CANCELLED items wait for their next attempt, and be RUNNING, if there are such items."""

    def finish(self, batch_id: str, ended_at: datetime) -> bool:
        """DONE, if RUNNING and every item is final."""

    def tell(self, batch_id: str, outlook: Outlook) -> None:
        """Let watchers know; the same outlook once more is no change."""


class ExportRecord(Protocol):
    """Remembers what was delivered, and how long it took; raises Unavailable if the database does not answer."""

    def find(self, keys: Sequence[ExportKey]) -> Mapping[ExportKey, Export]:
        """The exports of these keys, where there are any; nobody has looked whether the files are still there."""

    def of_files_of_size(self, wish: str, size_bytes: int) -> Sequence[Export]:
        """The exports for a wish whose sources, wherever they lay, had this size and a known digest."""

    def of_path(self, path: str, wish: str) -> Export | None:
        """The export for a wish of what lay at a path, whatever has become of the file since."""

    def output_bytes_per_s(self, size_class: str) -> float | None:
        """Bytes of files for each second of audio, as measured on deliveries of a class; None if there are none."""

    def record_work(self, engine_id: str, audio_s: float, wall_s: float, stored_bytes: int) -> None:
        """Remember that so much audio was separated anew in so much time, and what the store held of it; 0: unknown."""

    def stored_bytes_per_s(self, engine_id: str) -> float | None:
        """Bytes of mix and stems in the store for each second of audio, as recorded; None if there are none."""

    def audio_s_per_wall_s(self, engine_id: str) -> float | None:
        """How much audio an engine gets through in a second, all work of batches taken together; None if unknown."""


class Separations(Protocol):
    """The router. Every method raises Unavailable while it does not answer, and what is told there."""

    def survey(self) -> EngineSurvey:
        """The engines that can be asked for now."""

    def sha256(self, path: str) -> str:
        """The digest of a file as it is now; raises InvalidRequest if it cannot be read."""

    def upload(self, path: str) -> SourceRef:
        """Make the router know a file.

        Raises InvalidRequest if it cannot be read, InputRejected if it is empty or changes meanwhile.
        """

    def detect_vocals(self, source: SourceRef) -> float:
        """The share of a few excerpts of a source in which somebody sings, 0 to 1; waits for its turn at the engine.

        Raises EngineUnavailable if nobody can tell, and InputRejected.
        """

    def submit(self, request: SeparationRequest, request_id: str, batch_id: str) -> Job:
        """Queue a separation: idempotent by its id. Raises RequestConflict if the id came with another request."""

    def jobs(self, batch_id: str, job_ids: Collection[str]) -> Mapping[str, Job]:
        """Jobs of a batch as they stand; those that the router does not know are left out.

        Jobs that are not final come without more than their states.
        """

    def cancel(self, job_id: str) -> None:
        """Stop a job; a final or an unknown one is no error."""

    def release(self, job_id: str) -> None:
        """Let the store drop what a job has made; an unknown job, or one that is still at work, is no error."""


@dataclass(frozen=True)
class DeliveryOrder:
    """What to deliver for an item: `label` marks what is unfinished, so that it can be told from others' work."""

    spec: BatchSpec
    path: str
    label: str


class Deliveries(Protocol):
    """The exporter, and the folders that it writes to by way of this service."""

    def deliver(self, result: SeparationResult, order: DeliveryOrder) -> Export:
        """Write a result's files, or find them there.

        Raises Unavailable while the exporter or the output's volume does not answer, or is full, and InvalidRequest
        for what this one track is at fault for.
        """

    def holds(self, export: Export) -> bool:
        """Whether every file is there in its size; raises Unavailable if nobody can look."""

    def discard_unfinished(self, order: DeliveryOrder) -> None:
        """Remove what a killed delivery of that label has left."""

    def export_for_djs(self, export: Export, order: DeliveryOrder) -> None:
        """Make what the spec's targets take of delivered files, unless it is there; raises as `deliver` does."""

    def write_lists(self, spec: BatchSpec) -> None:
        """Tell the spec's targets of all that is there for them; raises StemhouseError."""


class SourceFiles(Protocol):
    """The files of the library, as they lie there now."""

    def stamp(self, path: str, location: str) -> FileStamp:
        """What tells whether it has changed.

        Raises NotFound if it is not there, InvalidRequest if it may not be looked at, and Unavailable if its volume
        seems to be away, or that of its location.
        """

    def audio_sha256(self, path: str) -> str:
        """The digest of what the file holds apart from its tags; empty if that cannot be told."""


class Disks(Protocol):
    """The volumes of this machine."""

    def require_place(self, folder: str) -> None:
        """Raises InvalidRequest unless it is an absolute path below which files can be written."""

    def make(self, folder: str) -> None:
        """Make a folder, or find it there; a batch waits when it is gone later. Raises InvalidRequest."""

    def volume(self, folder: str) -> Volume:
        """The volume on which a folder lies, or will lie."""


class Bell(Protocol):
    """Wakes a driver that rests."""

    @property
    def is_stopping(self) -> bool:
        """Whether the service is about to leave."""

    def ring(self) -> None:
        """There is something to do; from any thread."""

    def rest(self, seconds: float) -> None:
        """Wait until somebody rings, or has since the last rest, or the time is over."""


class Drivers(Protocol):
    """The threads that work on batches."""

    def wake(self, batch_id: str) -> None:
        """See to it that somebody works on the batch, and soon."""
