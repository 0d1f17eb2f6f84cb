"""What stretching asks of the world."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatBlock = npt.NDArray[np.float32]
"""Samples of shape (frames, channels), full scale 1.0; may exceed it."""


class Stretcher(Protocol):
    """Changes how long audio lasts, and not its pitch."""

    def stretch(self, samples: FloatBlock, sample_rate_hz: int, ratio: float) -> FloatBlock:
        """Exactly `round(frames * ratio)` frames; what was at a time is at `ratio` times that time.

        In each band of frequencies all channels are turned by one phase, so that any sum of channels, stretched, is
        the sum of the stretched channels within the rounding of float32. Equal samples give equal results.
        """
