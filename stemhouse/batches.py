"""Working through a library: what is wanted, what it will cost, and how far it is."""

import shlex
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stemhouse.delivery import DeliveryOptions
from stemhouse.dj import DJTarget
from stemhouse.jobs import JobError
from stemhouse.tracks import LibraryKind
from stemhouse.vocab import AUTO_ENGINE

BATCH_PRIORITY = 500
"""Of a batch's jobs: behind everything that somebody waits for (`stemhouse.jobs.DEFAULT_PRIORITY`)."""

DJ_FOLDER = "dj"
"""Below the output folder of a batch; a folder for each target is in it."""


class BatchLayout(StrEnum):
    """Where a track's folder goes: all into the output folder, or below it as the sources lie below theirs."""

    TRACK = "track"
    MIRROR = "mirror"


class BatchState(StrEnum):
    """Where a batch stands. DONE says that no track is left, not that all went well."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens any more unless somebody asks for it."""
        return self in {BatchState.DONE, BatchState.CANCELLED}


class ItemState(StrEnum):
    """Where a track of a batch stands; SENT is with the router, SEPARATED has stems and no files yet."""

    WAITING = "waiting"
    SENT = "sent"
    SEPARATED = "separated"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the batch has nothing more to do for the track."""
        return self not in {ItemState.WAITING, ItemState.SENT, ItemState.SEPARATED}


@dataclass(frozen=True)
class BatchSpec:
    """What to work through, and what to make of it.

    `location` is what was scanned: an absolute folder, the file of a DJ library, or `s3://bucket/prefix`. Tracks of
    `crates` come first; with `is_crates_only` there are no others. `output_dir` is absolute, on the machine of the
    library service. What is separated for the batch leaves the object store once its files are delivered, unless it
    `keeps_results`. `is_watching` goes on for ever with tracks that come or change. `probes_vocals` listens to tracks
    shortly before their turn where nothing else tells whether they are sung. `cloud_minutes` is the most that all its
    tracks together may take of the account of a cloud engine. For each of the `targets` what it takes is made of every
    track, below `dj/TARGET` in `output_dir`.
    """

    location: str
    output_dir: str
    library: LibraryKind = LibraryKind.AUTO
    crates: tuple[str, ...] = ()
    is_crates_only: bool = False
    engine: str = AUTO_ENGINE
    model: str = ""
    sum_to_mix: bool = True
    force: bool = False
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)
    layout: BatchLayout = BatchLayout.TRACK
    keeps_results: bool = False
    is_watching: bool = False
    probes_vocals: bool = False
    cloud_minutes: float = 0.0
    targets: tuple[DJTarget, ...] = ()


@dataclass(frozen=True)
class DiskNeed:
    """The most that one use takes of a volume at any time of the run, for example `output` or `source copies`."""

    use: str
    peak_bytes: int


@dataclass(frozen=True)
class VolumePlan:
    """What a run takes of a volume, named by a folder on it; `free_bytes` is None where nobody can tell."""

    folder: str
    needs: tuple[DiskNeed, ...]
    free_bytes: int | None

    @property
    def peak_bytes(self) -> int:
        """All uses together; they can all be at their most at once."""
        return sum(need.peak_bytes for need in self.needs)

    @property
    def fits(self) -> bool:
        """Whether there is room, as far as anybody can tell."""
        return self.free_bytes is None or self.peak_bytes <= self.free_bytes


@dataclass(frozen=True)
class BatchPlan:
    """What a run would do.

    `audio_s` is the playing time of the tracks that will be worked on. `work_s` is None before this machine has
    measured the engine. `cloud_minutes` is the most that could be charged. `obstacles` are sentences that say why the
    run cannot start; empty if it can.
    """

    track_count: int
    skipped_count: int
    audio_s: float
    work_s: float | None
    cloud_minutes: float
    volumes: tuple[VolumePlan, ...]
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchItem:
    """A track of a batch, at its place in the order of work, from 1.

    `folder` and `file_sizes_bytes` (by file name) are set when DONE or SKIPPED, `error` and `remedy` (what its owner
    can do, a sentence) when FAILED. `work_s` is what the engine took, if it was separated for this batch, and what the
    delivery took. `damage` says what is missing of its source, and so of its stems (`SourceFacts.damage`). Items of
    equal `tier` (> 0) could change places if somebody told whether they are sung.
    """

    place: int
    path: str
    reasons: tuple[str, ...]
    state: ItemState = ItemState.WAITING
    attempt: int = 1
    size_bytes: int = 0
    modified_ns: int = 0
    audio_s: float = 0.0
    job_id: str = ""
    engine_id: str = ""
    folder: str = ""
    file_sizes_bytes: dict[str, int] = field(default_factory=dict)
    error: JobError | None = None
    remedy: str = ""
    work_s: float = 0.0
    tier: int = 0
    damage: str = ""


@dataclass(frozen=True)
class BatchCounts:
    """Tracks of a batch by state; `active` are SENT or SEPARATED."""

    waiting: int = 0
    active: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All tracks."""
        return self.waiting + self.active + self.done + self.skipped + self.failed + self.cancelled


@dataclass(frozen=True)
class Batch:
    """A batch as the library has it; `sequence` grows with each change.

    `tracks_per_hour` and `remaining_s` come from what was measured since the batch last began to run; None before
    there is enough to tell. `hindrance` says what it waits for, if nothing moves.
    """

    batch_id: str
    request_id: str
    spec: BatchSpec
    state: BatchState
    created_at: datetime
    counts: BatchCounts = field(default_factory=BatchCounts)
    sequence: int = 1
    ended_at: datetime | None = None
    tracks_per_hour: float | None = None
    remaining_s: float | None = None
    hindrance: str = ""


def batch_command(spec: BatchSpec) -> str:
    """The command that looks at the library again and does what is left of a spec, quoted for a shell.

    Never with --force: that would do again what is there. The path maps of the last scan apply by themselves.
    """
    values = {
        "--source": spec.library if spec.library is not LibraryKind.AUTO else "",
        "--engine": spec.engine if spec.engine != AUTO_ENGINE else "",
        "--model": spec.model,
        "--cloud-minutes": f"{spec.cloud_minutes:g}" if spec.cloud_minutes else "",
        **_delivery_options(spec.delivery),
        "--layout": spec.layout if spec.layout is not BatchLayout.TRACK else "",
    }
    flags = {
        "--only-crates": spec.is_crates_only,
        "--no-sum-to-mix": not spec.sum_to_mix,
        "--keep-results": spec.keeps_results,
        "--watch": spec.is_watching,
        "--probe-vocals": spec.probes_vocals,
    }
    words = ["stemhouse", "batch", spec.location, "--output", spec.output_dir]
    words += [word for name in spec.crates for word in ("--crate", name)]
    words += [word for target in spec.targets for word in ("--target", target)]
    words += [word for option, value in values.items() if value for word in (option, value)]
    return shlex.join([*words, *(flag for flag, is_set in flags.items() if is_set)])


def _delivery_options(delivery: DeliveryOptions) -> dict[str, str]:
    usual = DeliveryOptions()
    return {
        "--stems": ",".join(delivery.stems),
        "--format": delivery.file_format if delivery.file_format is not usual.file_format else "",
        "--bit-depth": delivery.sample_format if delivery.sample_format is not usual.sample_format else "",
    }


def command_to_go_on(batch: Batch) -> str:
    """What begins a batch that has ended again: a retry of its failed and cancelled tracks, if it has any."""
    is_retry = batch.counts.failed or batch.counts.cancelled
    return f"stemhouse batch retry {batch.batch_id}" if is_retry else batch_command(batch.spec)
