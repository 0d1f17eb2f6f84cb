"""The loudest sample of a track."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from services.separator.core.ports import Block


@dataclass(frozen=True)
class Peak:
    """Of a whole track: its length, and its largest magnitude."""

    frame_count: int
    magnitude: float

    @property
    def scale(self) -> float:
        """What to divide the track by to bring its peak to 1; silence stays as it is."""
        return self.magnitude or 1.0


def measure_peak(blocks: Iterable[Block]) -> Peak:
    """Read a stream to its end."""
    frame_count, magnitude = 0, 0.0
    for block in blocks:
        frame_count += block.shape[1]
        magnitude = max(magnitude, float(np.abs(block).max(initial=0.0)))
    return Peak(frame_count, magnitude)
