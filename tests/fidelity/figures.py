"""What two pieces of audio are compared by."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import correlate

Samples = npt.NDArray[np.floating[Any]]
"""(channels, frames)."""

NULL_DB = -90.0
"""The contract's limit for what is left of a sum, and of a difference that should be none."""

_LARGEST_LAG_FRAMES = 2100  # more than a block of any codec here


def level_db(difference: Samples, reference: Samples) -> float:
    """20 log10 of rms(difference) / rms(reference), floored at -200."""
    return float(20 * np.log10(max(np.sqrt(np.mean(difference**2) / np.mean(reference**2)), 1e-10)))


def bass_of(sound: Samples) -> Samples:
    """The lowest quarter of the spectrum: what no coder leaves out at any rate."""
    spectrum = np.fft.rfft(sound)
    spectrum[:, spectrum.shape[1] // 4 :] = 0
    bass: Samples = np.fft.irfft(spectrum, sound.shape[1])
    return bass


def lag_frames(sound: Samples, reference: Samples) -> int:
    """Where the sound correlates best with the reference, in frames; positive if it comes later."""
    length = reference.shape[1]
    correlation = correlate(sound[:, :length].mean(axis=0), reference.mean(axis=0), method="fft")
    around_zero = correlation[length - 1 - _LARGEST_LAG_FRAMES : length + _LARGEST_LAG_FRAMES]
    return int(np.argmax(around_zero)) - _LARGEST_LAG_FRAMES
