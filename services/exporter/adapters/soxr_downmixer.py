"""Mono at another rate, by soxr as a stream."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import soxr

from services.exporter.core.production.ports import FloatBlock


class SoxrDownmixer:
    """Downmixer by soxr's high quality."""

    def mono(self, blocks: Iterable[FloatBlock], sample_rate_hz: int, target_hz: int) -> npt.NDArray[np.float32]:
        """See Downmixer.mono."""
        resampler = soxr.ResampleStream(sample_rate_hz, target_hz, 1, dtype="float32")
        pieces = [resampler.resample_chunk(block.mean(axis=1, dtype=np.float32)) for block in blocks]
        pieces.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        mono: npt.NDArray[np.float32] = np.concatenate(pieces)
        return mono
