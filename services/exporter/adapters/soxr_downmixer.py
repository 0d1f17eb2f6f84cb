"""Mono at another rate, by soxr as a stream."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import soxr

from services.exporter.core.production.ports import FloatBlock

_CANCELLED = 0.01
"""Of the power: less than that is left in the mean of channels that are each other's opposite."""


class SoxrDownmixer:
    """Downmixer by soxr's high quality."""

    def mono(self, blocks: Iterable[FloatBlock], sample_rate_hz: int, target_hz: int) -> npt.NDArray[np.float32]:
        """See Downmixer.mono."""
        mean, first = (_Resampled(sample_rate_hz, target_hz) for _ in range(2))
        power = mean_power = 0.0
        for block in blocks:
            middle = block.mean(axis=1, dtype=np.float32)
            power += float(np.square(block).mean(axis=1).sum())
            mean_power += float(np.square(middle).sum())
            mean.take(middle)
            if block.shape[1] > 1:
                first.take(np.ascontiguousarray(block[:, 0]))
        return first.all() if mean_power < _CANCELLED * power else mean.all()


class _Resampled:
    """A stream of one channel at another rate."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")
        self._pieces: list[npt.NDArray[np.float32]] = []

    def take(self, samples: npt.NDArray[np.float32]) -> None:
        self._pieces.append(self._stream.resample_chunk(samples))

    def all(self) -> npt.NDArray[np.float32]:
        last = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return np.concatenate([*self._pieces, last])
