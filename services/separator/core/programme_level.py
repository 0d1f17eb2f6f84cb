"""How loud a programme is, as far as it has been heard."""

import math

import numpy as np
import numpy.typing as npt


class ProgrammeLevel:
    """Level of the loud parts so far: the mean of the mean squares, each weighted by itself.

    Unlike an RMS it needs no gate: silence changes nothing, and a gain of g changes it by exactly g.
    """

    def __init__(self) -> None:
        self._sum = 0.0
        self._sum_of_squares = 0.0

    def hear(self, mean_squares: npt.NDArray[np.float64]) -> None:
        """Take in the mean squares of some more columns."""
        self._sum += float(mean_squares.sum())
        self._sum_of_squares += float(np.square(mean_squares).sum())

    def gain_to(self, target_db: float) -> float:
        """The factor that brings the level to `target_db` (0 dB = mean square of 1); 1.0 if all was silent."""
        if self._sum_of_squares == 0.0:
            return 1.0
        return math.sqrt(10 ** (target_db / 10) * self._sum / self._sum_of_squares)
