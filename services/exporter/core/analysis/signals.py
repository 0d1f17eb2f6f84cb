"""Audio as analyses hear it, and spectra of it in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

RATE_HZ = 22_050
"""What everything is heard at."""

Signal = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_FRAMES_AT_ONCE = 8192


@dataclass(frozen=True)
class AnalysisAudio:
    """A track in mono, float32 (frames,): all of it and, where they are known, its drums; both of one length."""

    sample_rate_hz: int
    mix: Signal
    drums: Signal | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.mix) / self.sample_rate_hz


def heard(signal: Signal, sample_rate_hz: int) -> Signal:
    """At RATE_HZ, with what is no number taken for silence."""
    finite = np.nan_to_num(signal, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32, copy=False)
    if sample_rate_hz == RATE_HZ:
        return finite
    common = gcd(sample_rate_hz, RATE_HZ)
    resampled: Signal = resample_poly(finite, RATE_HZ // common, sample_rate_hz // common).astype(np.float32)
    return resampled


def banded(signal: Signal, window_frames: int, hop_frames: int, bands: Signal) -> Signal:
    """Magnitudes in bands, (times, bands); `bands` has a row of weights for each. Times are centres of windows."""
    window = np.hanning(window_frames).astype(np.float32)
    window /= window.sum()
    padded = np.pad(signal, window_frames // 2)
    views = np.lib.stride_tricks.sliding_window_view(padded, window_frames)[::hop_frames]
    return np.concatenate(list(_magnitudes(views, window, bands)))


def _magnitudes(views: Signal, window: Signal, bands: Signal) -> Iterator[Signal]:
    for start in range(0, len(views), _FRAMES_AT_ONCE):
        spectrum = np.fft.rfft(views[start : start + _FRAMES_AT_ONCE] * window, axis=1)
        yield np.abs(spectrum).astype(np.float32) @ bands.T


def log_bands(window_frames: int, lowest_hz: float, highest_hz: float, count: int) -> Signal:
    """Weights of bands that are equally wide to the ear, each the mean of its bins; those without bins are left out."""
    hertz = np.fft.rfftfreq(window_frames, 1 / RATE_HZ)
    edges = np.geomspace(lowest_hz, highest_hz, count + 1)
    bands = ((hertz >= edges[:-1, None]) & (hertz < edges[1:, None])).astype(np.float32)
    bands = bands[bands.sum(axis=1) > 0]
    weights: Signal = bands / bands.sum(axis=1, keepdims=True)
    return weights
