"""A router, an exporter, files and a clock for batches: what of it survives a kill is in `World`."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from services.library.core.batch import DJBatchProcessor
from services.library.core.batch_drive import DrivePorts
from services.library.core.batch_line import Limits
from services.library.core.batch_orders import BatchOrders
from services.library.core.batch_plan import BatchPlanner, PlanPorts
from services.library.core.batch_ports import DeliveryOrder, Export, Volume
from services.library.core.batch_track import TrackWork
from services.library.core.disk_budget import Places
from services.library.core.hearing import VocalHearing
from services.library.core.ordering import OrderedFile
from services.library.core.ports import FileStamp, VocalShare
from stemhouse.batches import BatchItem, BatchSpec
from stemhouse.errors import NotFound, StemhouseError
from stemhouse.jobs import (
    SeparationResult,
)
from tests.unit.library.batch_memory import MemoryBatchStore, MemoryExportRecord
from tests.unit.library.fake_separations import BEGIN, TRACK_BYTES, TRACK_S, FakeSeparations


class Killed(BaseException):
    """The process is gone, here and now."""


@dataclass
class Fuse:
    """Kills at its n-th tick; 0 never."""

    kill_at: int = 0
    ticks: int = 0

    def tick(self) -> None:
        """One more step that may be the last."""
        self.ticks += 1
        if self.ticks == self.kill_at:
            raise Killed

    @contextmanager
    def around(self) -> Any:
        """A kill may come before or after what is done inside."""
        self.tick()
        yield
        self.tick()


class Fused:
    """Anything, with a fuse around each call."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def fused(*arguments: Any, **named: Any) -> Any:
            with self._fuse.around():
                return method(*arguments, **named)

        return fused


class InlineExecutor(Executor):
    """Does everything at once, in order, on the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Done when it returns; a kill is not held up."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  as an executor does
            future.set_exception(error)
        return future


@dataclass
class FakeDeliveries:
    """Deliveries into a dictionary of files; `unfinished` are labels of deliveries that were killed half way."""

    files: dict[str, dict[str, int]] = field(default_factory=dict)
    delivered: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    error: StemhouseError | None = None
    errors: dict[str, list[StemhouseError]] = field(default_factory=dict)
    for_djs: list[str] = field(default_factory=list)
    listed: list[list[str]] = field(default_factory=list)
    list_errors: list[StemhouseError] = field(default_factory=list)
    tick: Callable[[], object] = lambda: None
    took_s: float = 0.0
    wait: Callable[[float], object] = lambda _seconds: None

    def deliver(self, result: SeparationResult, order: DeliveryOrder) -> Export:
        """See Deliveries.deliver; the errors of a path are those of its first deliveries."""
        if self.error:
            raise self.error
        if self.errors.get(order.path):
            raise self.errors[order.path].pop(0)
        self.unfinished.append(order.label)
        self.tick()
        folder = f"{order.spec.output_dir}/{order.path.rsplit('/', 1)[-1]}"
        self.files[folder] = {"vocals.wav": 4000, "drums.wav": 4000}
        self.unfinished.remove(order.label)
        self.delivered.append(order.path)
        self.wait(self.took_s)
        return Export(folder, dict(self.files[folder]))

    def holds(self, export: Export) -> bool:
        """See Deliveries.holds."""
        return self.files.get(export.folder) == export.file_sizes_bytes

    def export_for_djs(self, export: Export, order: DeliveryOrder) -> None:
        """See Deliveries.export_for_djs."""
        if order.spec.targets:
            self.for_djs.append(export.folder)

    def write_lists(self, spec: BatchSpec) -> None:
        """See Deliveries.write_lists; raises what is in `list_errors` first."""
        if self.list_errors:
            raise self.list_errors.pop(0)
        self.listed.append(list(self.for_djs))

    def discard_unfinished(self, order: DeliveryOrder) -> None:
        """See Deliveries.discard_unfinished."""
        self.unfinished = [label for label in self.unfinished if label != order.label]


@dataclass
class FakeFiles:
    """SourceFiles, WorkOrder and VocalRecord over dictionaries, in the order in which `scanned` was filled."""

    stamps: dict[str, FileStamp] = field(default_factory=dict)
    scanned: dict[str, FileStamp] = field(default_factory=dict)
    outage: StemhouseError | None = None
    tiers: dict[str, int] = field(default_factory=dict)
    heard: dict[str, VocalShare] = field(default_factory=dict)
    audio: dict[str, str] = field(default_factory=dict)

    def vocals(self, path: str, stamp: FileStamp) -> VocalShare | None:
        """See TrackCatalogue.vocals."""
        return self.heard.get(path) if self.scanned.get(path) == stamp else None

    def record_vocals(self, path: str, stamp: FileStamp, vocals: VocalShare) -> None:
        """See TrackCatalogue.record_vocals."""
        if self.scanned.get(path) == stamp:
            self.heard[path] = vocals

    def stamp(self, path: str, location: str) -> FileStamp:
        """See SourceFiles.stamp."""
        if self.outage:
            raise self.outage
        if path not in self.stamps:
            message = f"{path} is not there"
            raise NotFound(message, {"file": path})
        return self.stamps[path]

    def audio_sha256(self, path: str) -> str:
        """See SourceFiles.audio_sha256."""
        return self.audio.get(path, "")

    def files(self, location: str, crates: Sequence[str], *, is_crates_only: bool) -> Sequence[OrderedFile]:
        """See WorkOrder.files."""
        return [
            OrderedFile(
                place, path, stamp.size_bytes, stamp.modified_ns, TRACK_S, ("by path",), self.tiers.get(path, 0)
            )
            for place, (path, stamp) in enumerate(self.scanned.items(), 1)
        ]

    def rescan(self, _spec: BatchSpec) -> None:
        """Let the order know what is there."""
        self.scanned = dict(self.stamps)

    def add(self, path: str, size_bytes: int = TRACK_BYTES, modified_ns: int = 1) -> None:
        """A file that was scanned."""
        self.stamps[path] = self.scanned[path] = FileStamp(size_bytes, modified_ns)


@dataclass
class FakeDisks:
    """Disks: everything below /out is one volume, all else another."""

    free_bytes: int | None = 10**12
    made: list[str] = field(default_factory=list)

    def require_place(self, folder: str) -> None:
        """See Disks.require_place."""

    def make(self, folder: str) -> None:
        """See Disks.make."""
        self.made.append(folder)

    def volume(self, folder: str) -> Volume:
        """See Disks.volume."""
        return Volume("out" if folder.startswith("/out") else "home", folder, self.free_bytes)


class FakeBell:
    """A bell whose rests take no time; `at_rest` are called one at each rest; a driver that never ends is found out."""

    def __init__(self, world: "World", most_rests: int = 400) -> None:
        self._world = world
        self._rests_left = most_rests
        self.at_rest: list[Callable[[], object]] = []
        self.is_stopping = False

    def ring(self) -> None:
        """See Bell.ring."""

    def rest(self, seconds: float) -> None:
        """See Bell.rest."""
        self._world.now_s += seconds
        self._rests_left -= 1
        assert self._rests_left > 0, f"it never ends: {self._world.batch()}"
        if self.at_rest:
            self.at_rest.pop(0)()


class World:
    """All that a batch meets. `process` is one life of the service."""

    def __init__(self, track_count: int = 0) -> None:
        self.separations = FakeSeparations()
        self.deliveries = FakeDeliveries()
        self.files = FakeFiles()
        self.disks = FakeDisks()
        self.exports = MemoryExportRecord()
        self.store = MemoryBatchStore(self.exports)
        self.now_s = 0.0
        self.woken: list[str] = []
        self.starting = Lock()
        self.defects: list[Exception] = []
        self.separations.clock = lambda: self.now_s
        self.deliveries.wait = self._wait
        self.batch_ids = iter(f"batch{number}" for number in range(1, 100))
        for number in range(1, track_count + 1):
            self.files.add(f"/music/{number}.mp3")

    @property
    def orders(self) -> BatchOrders:
        """What the servicer talks to."""
        ports = PlanPorts(self.files, self.exports, self.deliveries, self.separations, self.disks)
        planner = BatchPlanner(ports, Places("/home/store", "/home/scratch"))
        new_batch_id = self.batch_ids.__next__
        return BatchOrders(self.store, planner, self, now=self.now, new_batch_id=new_batch_id, starting=self.starting)

    def wake(self, batch_id: str) -> None:
        """See Drivers.wake."""
        self.woken.append(batch_id)

    def _wait(self, seconds: float) -> None:
        self.now_s += seconds

    def now(self) -> datetime:
        """In UTC."""
        return BEGIN + timedelta(seconds=self.now_s)

    def start(self, **wishes: Any) -> str:
        """A new batch's id."""
        return self.orders.start(f"request-{len(self.woken)}", spec(**wishes)).batch_id

    def process(
        self,
        batch_id: str = "batch1",
        *at_rest: Callable[[], object],
        fuse: Fuse | None = None,
        limits: Limits = Limits(),  # noqa: B008  frozen
        most_rests: int = 400,
    ) -> None:
        """Work until nothing is left to do, or the fuse kills."""
        fuse = fuse or Fuse()
        self.bell = bell = FakeBell(self, most_rests)
        bell.at_rest = list(at_rest)
        self.deliveries.tick = fuse.tick
        store: Any
        store, separations, deliveries = (Fused(port, fuse) for port in (self.store, self.separations, self.deliveries))
        hearing = VocalHearing(self.files, separations)
        tracks = TrackWork(
            self.files, separations, deliveries, self.exports, hearing, now=self.now, on_defect=self.defects.append
        )
        ports = DrivePorts(
            store=store,
            exports=self.exports,
            separations=separations,
            tracks=tracks,
            order=self.files,
            rescan=self.files.rescan,
            clock=lambda: self.now_s,
            now=self.now,
        )
        DJBatchProcessor(ports, InlineExecutor(), limits).process(batch_id, bell)

    def batch(self, batch_id: str = "batch1") -> Any:
        """As it stands."""
        return self.orders.batch(batch_id)

    def items(self, batch_id: str = "batch1") -> list[BatchItem]:
        """All of a batch."""
        return list(self.store.items(batch_id, (), limit=10_000))


def spec(**wishes: Any) -> BatchSpec:
    """A spec for /music."""
    return replace(BatchSpec("/music", "/out/stems"), **wishes)
