"""The demucs engine: each network of a bag goes through the track on its own, side by side, and is weighed in.

    mixture -> level                                     (a first pass over the track)
    mixture -> windows -> batches -> network -> cross-fade   (for each network of the bag)
    cross-fades -> weighted sum -> level undone -> stems

A network reads what it hears from a pass of its own, just before it runs: so a mixture that raises, for a cancelled
task, stops the engine between two networks and between two batches, and each network may have a segment of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from services.separator.adapters.demucs.bags import Bag, BagNetwork, load_bag
from services.separator.adapters.demucs.checkpoints import is_out_of_memory
from services.separator.adapters.demucs.hybrid import TORCH, Backend
from services.separator.core.blocks import recut
from services.separator.core.demucs_options import DEFAULT_OPTIONS, DemucsOptions, ScheduleKind
from services.separator.core.gpu import CPU, DeviceLease
from services.separator.core.models import ModelEntry, ModelShape, demucs_spec
from services.separator.core.ports import Block, Engine, EngineSpec, Mixture, StemBlocks
from services.separator.core.segments import Crossfade, Level, Window, measure_level
from services.separator.core.vocals_only import VocalsOnly
from stemhouse.errors import ModelRejected
from stemhouse.vocab import VOCALS, in_listing_order

log = structlog.get_logger(__name__)


class DemucsEngine:
    """Engine (see `core.ports`) on the CPU, with as many threads as its backend has been given.

    As many segments go through a network at once as its lease says: that changes samples by no more than rounding.
    Where there is too little memory for them the batch is halved, and the track goes on where it was.
    """

    def __init__(
        self,
        bag: Bag,
        spec: EngineSpec,
        lease: DeviceLease | None = None,
        schedule: ScheduleKind = ScheduleKind.LEAN,
    ) -> None:
        """`spec` must be that of the bag, with this kind of schedule; without a lease, one segment at a time."""
        self._bag = bag
        self._schedule = schedule
        self._lease = lease or DeviceLease(CPU, 1)
        self.spec = spec

    def separate(self, mixture: Mixture) -> Iterator[StemBlocks]:
        """See Engine.separate; holds two segments of the track for each network."""
        return self._separated(mixture, measure_level(mixture.blocks()))

    def _separated(self, mixture: Mixture, level: Level) -> Iterator[StemBlocks]:
        piece_frames = min(network.schedule.stride_frames for network in self._bag.networks)
        lanes = [recut(self._lane(network, mixture, level), piece_frames) for network in self._bag.networks]
        shares = np.repeat(self._bag.weights, self._bag.audio_format.channel_count, axis=1)[:, :, np.newaxis]
        for parts in zip(*lanes, strict=True):
            rows = np.sum([share * part for share, part in zip(shares, parts, strict=True)], axis=0)
            yield self._named(rows * np.float32(level.deviation) + np.float32(level.mean))

    def _lane(self, network: BagNetwork, mixture: Mixture, level: Level) -> Iterator[Block]:
        """All sources of one network, below each other: float32 (sources * channels, frames)."""
        schedule = replace(network.schedule, kind=self._schedule)
        window = Window(_levelled(mixture.blocks(), level))
        crossfade = Crossfade(schedule, len(network.sources) * network.audio_format.channel_count)
        for batch in schedule.batches(level.frame_count, self._lease.batch_segments):
            given = self._given(network, np.stack([window.hear(segment) for segment in batch]))
            for segment, sources in zip(batch, given, strict=True):
                inside = sources[:, :, segment.inside]
                yield crossfade.add(segment, inside.reshape(-1, segment.frame_count))

    def _given(self, network: BagNetwork, heard: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
        """What the network gives for each segment: float32 (sources, channels, frames)."""
        done_count = 0
        while done_count < len(heard):
            part = heard[done_count : done_count + self._lease.batch_segments]
            try:
                given = network.separate(part)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._lease.halve()
                log.warning("too little memory", device=self._lease.device.name, segments=self._lease.batch_segments)
                continue
            done_count += len(part)
            yield from given

    def _named(self, rows: Block) -> StemBlocks:
        by_source = dict(zip(self._bag.sources, np.split(rows, len(self._bag.sources)), strict=True))
        return {stem: by_source[stem] for stem in self.spec.stems}


def _levelled(blocks: Iterable[Block], level: Level) -> Iterator[Block]:
    """Bring the stream to mean 0 and deviation 1, as the networks were trained."""
    return ((block - np.float32(level.mean)) / np.float32(level.deviation) for block in blocks)


class DemucsModels:
    """ModelLoader for models of demucs."""

    def __init__(
        self, options: DemucsOptions = DEFAULT_OPTIONS, backend: Backend = TORCH, lease: DeviceLease | None = None
    ) -> None:
        """`backend` must be what the options name; `lease` is for all engines together."""
        self._options = options
        self._lease = lease
        self._backend = backend

    def load(self, folder: Path, entry: ModelEntry, spec: EngineSpec | None = None) -> Engine:
        """See ModelLoader.load; without a `spec`, the engine of all stems."""
        spec = spec or demucs_spec(entry, self._options)
        is_whole = spec.stems == entry.stems
        bag = load_bag(folder, entry, self._backend, "" if is_whole else VOCALS)
        found = _shape(bag)
        if found != ModelShape(entry.stems, entry.audio_format):
            message = f"the checkpoints of {entry.name} give {found}, not {entry.stems} at {entry.audio_format}"
            raise ModelRejected(message, {"model": entry.name})
        if is_whole:
            return self._engine(bag, spec)
        return VocalsOnly(self._engine(bag, replace(spec, stems=(VOCALS,))), spec)

    def _engine(self, bag: Bag, spec: EngineSpec) -> DemucsEngine:
        return DemucsEngine(bag, spec, self._lease, self._options.schedule)

    def inspect(self, folder: Path, entry: ModelEntry) -> ModelShape:
        """See ModelLoader.inspect; by PyTorch, which is ready at once."""
        return _shape(load_bag(folder, entry))


def _shape(bag: Bag) -> ModelShape:
    return ModelShape(in_listing_order(bag.sources), bag.audio_format)
