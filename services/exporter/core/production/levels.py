"""Float samples into those of files, and whether they fit."""

from collections.abc import Iterable, Iterator

import numpy as np

from services.exporter.core.ports import SampleBlock
from services.exporter.core.production.ports import FloatBlock
from stemhouse.delivery import SampleFormat

_BITS = {SampleFormat.PCM16: 16, SampleFormat.PCM24: 24}


def level(block: FloatBlock, sample_format: SampleFormat) -> float:
    """How much of what the format can hold the block takes: at most 1.0 if it fits. Float holds everything."""
    bits = _BITS.get(sample_format)
    if bits is None:
        return 0.0
    full_scale = 2.0 ** (bits - 1)
    return max(float(block.max()) * full_scale / (full_scale - 0.51), -float(block.min()))


def highest_level(streams: Iterable[Iterable[FloatBlock]], sample_format: SampleFormat) -> float:
    """The highest level of any block."""
    return max((level(block, sample_format) for blocks in streams for block in blocks), default=0.0)


def in_format(blocks: Iterable[FloatBlock], gain: float, sample_format: SampleFormat) -> Iterator[SampleBlock]:
    """Samples of a file: rounded to the nearest, without dither; 24 bits at gain 1 stay what they are."""
    bits = _BITS.get(sample_format)
    for block in blocks:
        if bits is None:
            yield (block * gain).astype(np.float32)
            continue
        full_scale = 2 ** (bits - 1)
        samples = np.rint(block * (gain * full_scale), dtype=np.float64)
        # What was lowered to just fit may be rounded past the end by the product; nothing else comes so far.
        yield np.clip(samples, -full_scale, full_scale - 1).astype(np.int32)
