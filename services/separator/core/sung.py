"""How much of a track is sung: half seconds in which the vocals are clearly there, among those that are not silent.

Measured with the starter on 24 s excerpts: a rap track sings in 0.54 of its frames, a rock track with a quiet singer in
0.10; the same two without their vocals in 0.02 and 0.02, an instrumental funk track in 0.10.
"""

import numpy as np

from services.separator.core.ports import Block, PcmBlock

_FRAME_S = 0.5
_SILENCE_POWER = 10.0**-5.0
"""-50 dB. Frames of the mixture below this mean power, against full scale, tell nothing."""
_SUNG_POWER = 10.0**-1.5
"""-15 dB. Of the vocals' power against that of the mixture, for a frame to count as sung."""


class SungShare:
    """Counts the frames of a mixture and its vocals as they pass, in any blocks; holds no samples."""

    def __init__(self, sample_rate_hz: int, full_scale: float = 1.0) -> None:
        """`full_scale` is what the blocks have for a sample of 1.0."""
        self._frame_frames = max(1, round(_FRAME_S * sample_rate_hz))
        self._full_power = full_scale * full_scale
        self._begin_frame()
        self._sung_count = 0
        self._heard_count = 0

    def add(self, mixture: Block | PcmBlock, vocals: Block | PcmBlock) -> None:
        """The next frames of both, in the same shape."""
        start, end_frame = 0, mixture.shape[1]
        while start < end_frame:
            end = min(start + self._missing_frames, end_frame)
            self._mixture_energy += _energy(mixture[:, start:end])
            self._vocals_energy += _energy(vocals[:, start:end])
            self._sample_count += mixture.shape[0] * (end - start)
            self._missing_frames -= end - start
            if not self._missing_frames:
                self._count_frame()
            start = end

    def share(self) -> float:
        """Of all that has passed, 0 to 1; a silent track is not sung. Nothing may be added afterwards."""
        if self._sample_count:
            self._count_frame()
        return self._sung_count / self._heard_count if self._heard_count else 0.0

    def _begin_frame(self) -> None:
        self._missing_frames = self._frame_frames
        self._sample_count = 0
        self._mixture_energy = 0.0
        self._vocals_energy = 0.0

    def _count_frame(self) -> None:
        if self._mixture_energy > _SILENCE_POWER * self._full_power * self._sample_count:
            self._heard_count += 1
            self._sung_count += self._vocals_energy > _SUNG_POWER * self._mixture_energy
        self._begin_frame()


def _energy(samples: Block | PcmBlock) -> float:
    return float(np.square(samples, dtype=np.float64).sum())
