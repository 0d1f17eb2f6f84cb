"""How sure the stems of a result are of themselves: the mask that they imply, and what it expects to get wrong.

An engine that is sure of a place in the spectrum gives it to the vocals or to the rest; one that is not shares it out.
With V and A the spectra of the vocals and of the rest, the implied mask is m = |V|^2 / (|V|^2 + |A|^2), and a Wiener
filter with that mask would expect of itself the ratio

    sum of m^2 P over sum of m (1 - m) P,    P = |V + A|^2.

In dB that follows the true SI-SDR of the vocals of one engine, at an offset that is the engine's own: a calibration
turns one into the other. Errors of which the engine is sure, such as an instrument taken for a voice, do not show.
"""

import numpy as np
import numpy.typing as npt
import scipy.fft

from services.separator.core.ports import Block
from services.separator.core.ratios import ratio_db

_WINDOW_S = 4096 / 44_100
_HOPS_PER_WINDOW = 4


class MaskAmbiguity:
    """Takes in excerpts, of which nothing is kept but two sums."""

    def __init__(self, sample_rate_hz: int) -> None:
        """The window is the power of two next to 93 ms at that rate, so that all rates hear alike."""
        frames = 2 ** round(np.log2(_WINDOW_S * sample_rate_hz))
        self._hop_frames = frames // _HOPS_PER_WINDOW
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frames) / frames)).astype(np.float32)
        self._kept = 0.0
        self._doubtful = 0.0

    def add(self, vocals: Block, mixture: Block) -> None:
        """One excerpt of both, of one shape; what is shorter than a window counts for nothing."""
        if vocals.shape[1] < len(self._window):
            return
        sung, all_of_it = self._spectrum(vocals), self._spectrum(mixture)
        vocals_power, rest_power = _power(sung), _power(all_of_it - sung)
        mask = vocals_power / np.maximum(vocals_power + rest_power, np.finfo(np.float32).tiny)
        kept = mask * _power(all_of_it)
        self._kept += float(np.sum(mask * kept, dtype=np.float64))
        self._doubtful += float(np.sum((1 - mask) * kept, dtype=np.float64))

    def db(self) -> float:
        """The ratio, within [-60, 60]."""
        return ratio_db(self._kept, self._doubtful)

    def _spectrum(self, block: Block) -> npt.NDArray[np.complex64]:
        windows = np.lib.stride_tricks.sliding_window_view(block, len(self._window), axis=1)[:, :: self._hop_frames]
        spectrum: npt.NDArray[np.complex64] = scipy.fft.rfft(windows * self._window, axis=2, overwrite_x=True)
        return spectrum


def _power(spectrum: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
    power: npt.NDArray[np.float32] = np.square(spectrum.real) + np.square(spectrum.imag)
    return power
