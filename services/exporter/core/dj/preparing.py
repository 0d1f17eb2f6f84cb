"""Streams of a track made ready for files: at the rate that they will have, with the one gain with which all fit."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from services.exporter.core.dj.ports import Resampler
from services.exporter.core.parts import while_wanted
from services.exporter.core.ports import FileSpec, SampleBlock
from services.exporter.core.production.levels import in_format, level
from services.exporter.core.production.ports import AudioShape, BlockSpool, FloatBlock, IsWanted, Spools
from stemhouse.delivery import SampleFormat


@dataclass(frozen=True)
class Prepared:
    """Streams by name, and their common gain: 1, or just low enough that none is cut off."""

    spools: Mapping[str, BlockSpool]
    sample_format: SampleFormat
    gain: float
    is_wanted: IsWanted

    def samples(self, name: str) -> Iterator[SampleBlock]:
        """A stream as integers of that format; raises Cancelled once nobody wants it."""
        return in_format(while_wanted(self.spools[name].read(), self.is_wanted), self.gain, self.sample_format)

    def gain_db_with(self, gain_db: float | None) -> float | None:
        """What players are told to add, so that the common gain is not heard."""
        return None if gain_db is None else round(gain_db - 20.0 * math.log10(self.gain), 2)


class StreamPreparation:
    """Keeps streams aside."""

    def __init__(self, spools: Spools, resampler: Resampler) -> None:
        """Keep what it works with."""
        self._spools = spools
        self._resampler = resampler

    @contextmanager
    def prepared(
        self,
        streams: Mapping[str, Callable[[], Iterator[FloatBlock]]],
        shape: AudioShape,
        spec: FileSpec,
        is_wanted: IsWanted,
    ) -> Iterator[Prepared]:
        """The streams, as long as the context lasts; they are read one after the other."""
        with ExitStack() as stack:
            spools = {name: stack.enter_context(self._spools.open(shape.channel_count)) for name in streams}
            highest = max(self._fill(spools[name], read(), shape, spec) for name, read in streams.items())
            yield Prepared(spools, spec.sample_format, 1.0 / highest if highest > 1.0 else 1.0, is_wanted)

    def _fill(self, spool: BlockSpool, blocks: Iterator[FloatBlock], shape: AudioShape, spec: FileSpec) -> float:
        """Gives the highest level."""
        rate_hz = spec.sample_rate_hz
        at_rate = blocks if rate_hz == shape.sample_rate_hz else self._resampler.resample(blocks, shape, rate_hz)
        highest = 0.0
        for block in at_rate:
            spool.write(block)
            highest = max(highest, level(block, spec.sample_format))
        return highest
