"""Another rate, by soxr as a stream."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from services.exporter.core.dj.ports import resampled_frames
from services.exporter.core.production.ports import AudioShape, FloatBlock


class SoxrResampler:
    """Resampler by soxr's very high quality, which is linear in phase."""

    def resample(self, blocks: Iterable[FloatBlock], shape: AudioShape, target_hz: int) -> Iterator[FloatBlock]:
        """See Resampler.resample; soxr itself may give a frame more or less at the end."""
        left = resampled_frames(shape, target_hz)
        for block in _converted(blocks, shape, target_hz):
            fitting = block[:left]
            left -= len(fitting)
            if len(fitting):
                yield fitting
        if left:
            yield np.zeros((left, shape.channel_count), np.float32)


def _converted(blocks: Iterable[FloatBlock], shape: AudioShape, target_hz: int) -> Iterator[FloatBlock]:
    channel_count = shape.channel_count
    stream = soxr.ResampleStream(shape.sample_rate_hz, target_hz, channel_count, dtype="float32", quality="VHQ")
    for block in blocks:
        yield _as_block(stream.resample_chunk(block), channel_count)
    yield _as_block(stream.resample_chunk(np.zeros((0, channel_count), np.float32), last=True), channel_count)


def _as_block(samples: FloatBlock, channel_count: int) -> FloatBlock:
    """Of one channel soxr may give the bare samples."""
    return samples.reshape(-1, channel_count)
