"""Takes: what an engine gives for one track, brought to the integer grid of the stored mix and spooled.

With `sum_to_mix` the stem `other` is not the engine's: it is the mix minus all other stems, integer by integer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from services.separator.core.blocks import Intake
from services.separator.core.control import until_cancelled
from services.separator.core.pcm import FULL_SCALE, block_from_pcm
from services.separator.core.ports import (
    AudioDesk,
    Block,
    Engine,
    EngineSpec,
    PcmBlock,
    PcmFile,
    PcmSpool,
    StemBlocks,
    TaskControl,
)
from services.separator.core.results import SeparateTask
from services.separator.core.sung import SungShare
from stemhouse.audio import AudioRef
from stemhouse.errors import InternalFault
from stemhouse.vocab import OTHER, VOCALS

_LOUDEST = 2.0**28
"""In grid steps, 32 times full scale: an engine that gives more is broken, and its sums would not fit the spools."""

StemPcm = dict[str, PcmBlock]


@dataclass
class PcmRange:
    """The lowest and highest integer of a signal, 0 included."""

    lowest: int = 0
    highest: int = 0

    def add(self, block: PcmBlock) -> None:
        """Take in the next frames."""
        self.lowest = min(self.lowest, int(block.min()))
        self.highest = max(self.highest, int(block.max()))

    def peak(self, gain: float) -> float:
        """The largest absolute sample before `gain` was applied; full scale is 1.0."""
        return max(self.highest, -self.lowest) / (FULL_SCALE * gain)


@dataclass(frozen=True)
class Takes:
    """All stems of one track: spooled samples and ranges by name; of the vocals how much sings, and mix - vocals."""

    spools: Mapping[str, PcmSpool]
    ranges: Mapping[str, PcmRange]
    sung: SungShare
    instrumental: PcmRange = field(default_factory=PcmRange)

    def add(self, mix: PcmBlock, stems: StemPcm) -> None:
        """Spool the next frames."""
        for name, block in stems.items():
            self.ranges[name].add(block)
            self.spools[name].append(block)
        if VOCALS in stems:
            self.instrumental.add(mix - stems[VOCALS])
            self.sung.add(mix, stems[VOCALS])

    def vocal_share(self) -> float | None:
        """How much of the track is sung, once all of it is there; None if it has no stem of vocals."""
        return self.sung.share() if VOCALS in self.spools else None


def take_stems(
    task: SeparateTask, engine: Engine, mixture: PcmFile, desk: AudioDesk, control: TaskControl
) -> tuple[Takes, int]:
    """Run the engine over the mixture; gives the takes and their number of frames.

    The engine hears the source's own scale, whatever gain the stored mix has. What its stems are held against is read
    beside it, so nothing is held for as long as it looks ahead. Raises InternalFault if it breaks its contract,
    Cancelled within one block of what it reads.
    """
    mix_blocks = Intake(mixture.blocks())
    takes = _empty_takes(engine.spec, task.audio, desk)
    rounding = _Rounding(engine.spec, task.audio)
    frame_count = 0
    for blocks in engine.separate(_Heard(mixture, task.audio.gain, control)):
        integers = rounding.integers(blocks, frame_count)
        mix = _next_of_mix(mix_blocks, next(iter(integers.values())).shape[1])
        if task.sum_to_mix:
            integers[OTHER] = mix - sum(block for stem, block in integers.items() if stem != OTHER)
        takes.add(mix, integers)
        frame_count += mix.shape[1]
        control.report(min(frame_count / task.audio.frame_count, 1.0))
    return takes, frame_count


def _empty_takes(spec: EngineSpec, audio: AudioRef, desk: AudioDesk) -> Takes:
    return Takes(
        {stem: desk.create_spool(audio.format) for stem in spec.stems},
        {stem: PcmRange() for stem in spec.stems},
        SungShare(audio.format.sample_rate_hz, audio.gain * FULL_SCALE),
    )


@dataclass(frozen=True)
class _Heard:
    """Mixture: the stored mix on the source's own scale."""

    mixture: PcmFile
    gain: float
    control: TaskControl

    def blocks(self) -> Iterator[Block]:
        return (block_from_pcm(block, self.gain) for block in until_cancelled(self.mixture.blocks(), self.control))


def _next_of_mix(mix: Intake[PcmBlock], frame_count: int) -> PcmBlock:
    block = mix.take(frame_count)
    missing_frames = frame_count - (0 if block is None else block.shape[1])
    if block is None or missing_frames:
        message = f"the engine gave {missing_frames} frames more than the mix has"
        raise InternalFault(message)
    return block


class _Rounding:
    """Checks what the engine gives, and rounds it to the grid of the stored mix."""

    def __init__(self, spec: EngineSpec, audio: AudioRef) -> None:
        self._spec = spec
        self._channel_count = audio.format.channel_count
        self._scale = audio.gain * FULL_SCALE

    def integers(self, blocks: StemBlocks, first_frame: int) -> StemPcm:
        shapes = {block.shape for block in blocks.values()}
        is_known = set(blocks) == set(self._spec.stems)
        if not is_known or len(shapes) != 1 or shapes.pop()[0] != self._channel_count:
            described = {stem: block.shape for stem, block in blocks.items()}
            self._fault(f"gave stems {described} for {self._channel_count} channels", first_frame)
        return {stem: self._rounded(stem, blocks[stem], first_frame) for stem in self._spec.stems}

    def _rounded(self, stem: str, block: Block, first_frame: int) -> PcmBlock:
        grid = np.rint(block.astype(np.float64) * self._scale)
        is_bad = ~(np.abs(grid).max(axis=0) <= _LOUDEST)  # true for NaN, too
        if is_bad.any():
            self._fault(
                f"gave {stem} samples that are not finite or absurdly large", first_frame + int(is_bad.argmax())
            )
        return grid.astype(np.int32)

    def _fault(self, what: str, frame: int) -> None:
        message = f"engine {self._spec.engine_id} {what}, at frame {frame}"
        raise InternalFault(message, {"engine_id": self._spec.engine_id, "frame": str(frame)})
