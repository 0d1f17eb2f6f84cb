"""Encoding: spooled stems become 24-bit FLACs under one common gain, and are held against the mix once more."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from services.separator.core.control import until_cancelled
from services.separator.core.pcm import fitting_shift, lowered
from services.separator.core.ports import AudioDesk, FlacFile, PcmBlock, PcmFile, TaskControl
from services.separator.core.takes import Takes
from stemhouse.audio import AudioRef

_NULL_FLOOR_DB = -200.0


@dataclass(frozen=True)
class EncodedStems:
    """Finished FLACs, not yet uploaded; `gain` is against the stored mix, a power of two <= 1."""

    flacs: Mapping[str, FlacFile]
    gain: float
    null_depth_db: float


def encode_stems(
    takes: Takes, mixture: PcmFile, audio: AudioRef, desk: AudioDesk, control: TaskControl
) -> EncodedStems:
    """Lower all stems so that the loudest fits, encode them, and measure how well they sum to the mix."""
    ranges = takes.ranges.values()
    shift = fitting_shift(min(each.lowest for each in ranges), max(each.highest for each in ranges))
    flacs = {stem: desk.create_flac(audio.format) for stem in takes.spools}
    null = _NullMeter(shift)
    streams = (mixture.blocks(), *(takes.spools[stem].blocks() for stem in flacs))
    frame_count = 0
    for mix, *stems in until_cancelled(zip(*streams, strict=True), control):
        stored = [lowered(block, shift) for block in stems]
        for flac, block in zip(flacs.values(), stored, strict=True):
            flac.append(block)
        null.add(mix, stored)
        frame_count += mix.shape[1]
        control.report(frame_count / audio.frame_count)
    return EncodedStems(flacs, 2.0**-shift, null.depth_db())


class _NullMeter:
    """Energy of (sum of stored stems - mix) and of the mix, both in grid steps of what is stored."""

    def __init__(self, shift: int) -> None:
        self._mix_scale = 2.0**-shift
        self._rest_energy = 0.0
        self._mix_energy = 0.0

    def add(self, mix: PcmBlock, stems: Sequence[PcmBlock]) -> None:
        """Take in the next frames."""
        wanted = mix * self._mix_scale
        rest = reduce(np.add, stems) - wanted  # what fits 24 bits fits 32 when it is added up
        self._rest_energy += float(np.vdot(rest, rest))
        self._mix_energy += float(np.vdot(wanted, wanted))

    def depth_db(self) -> float:
        """The ratio, floored; a silent mix counts as one grid step in all, so that the figure stays finite."""
        if self._rest_energy == 0.0:
            return _NULL_FLOOR_DB
        return max(10 * math.log10(self._rest_energy / max(self._mix_energy, 1.0)), _NULL_FLOOR_DB)
