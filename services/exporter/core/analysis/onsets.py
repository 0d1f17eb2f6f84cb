"""When something begins in a signal, to a millisecond or so."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from services.exporter.core.analysis.signals import RATE_HZ, Floats, Signal, banded, log_bands

HOP_FRAMES = 64
COARSE = 4
"""Coarse curves have one value for so many fine ones: 86 a second."""
COARSE_HOP_FRAMES = HOP_FRAMES * COARSE
COARSE_HZ = RATE_HZ / COARSE_HOP_FRAMES
SILENCE = 1e-4
"""Peaks below -80 dB of full scale are nothing that anybody hears."""

_WINDOW_FRAMES, _LOW_WINDOW_FRAMES = 256, 1024
_LAG = 2
_LEAD = 16
"""Coarse values of silence in front: what begins with the signal is an attack, too."""
_LOUDNESS = 100.0
"""How far down from the loudest moment a rise counts, as 1/40 dB."""
_HEARD_LATE_S = -0.0015
"""Windows reach ahead of their centre, so a rise shows early by this, as measured with clicks, kicks, snares, hats."""
_LOWEST_HZ, _LOW_HZ, _HIGHEST_HZ = 172.0, 150.0, 10_500.0
"""Below _LOWEST_HZ short windows see single waves rise and fall; the low curve sees what is below _LOW_HZ."""
_LEAST_GAP_S = 0.03
_LEAST_RISE = 0.5
"""In all bands together, as logarithms; steady tones ripple by less."""


@dataclass(frozen=True)
class Onsets:
    """Attacks: times in seconds and strengths; and how much rises when, overall and in the bass, COARSE_HZ a second."""

    times_s: Floats
    strengths: Floats
    curve: Floats
    low_curve: Floats

    def nearest_s(self, times_s: Floats) -> Floats:
        """The attack nearest to each time; there must be two at least."""
        following = np.clip(np.searchsorted(self.times_s, times_s), 1, len(self.times_s) - 1)
        before, after = self.times_s[following - 1], self.times_s[following]
        return np.where(times_s - before <= after - times_s, before, after)

    def within(self, start_s: float, end_s: float) -> "Onsets":
        """What begins from `start_s` on and before `end_s`; times stay, and curves are 0 elsewhere."""
        inside = (self.times_s >= start_s) & (self.times_s < end_s)
        moments_s = np.arange(len(self.curve)) / COARSE_HZ
        heard = (moments_s >= start_s) & (moments_s < end_s)
        return Onsets(self.times_s[inside], self.strengths[inside], self.curve * heard, self.low_curve * heard)


def find_onsets(signal: Signal) -> Onsets:
    """Of a signal at RATE_HZ that is not silent."""
    scaled = np.pad(signal / np.max(np.abs(signal)), (_LEAD * COARSE_HOP_FRAMES, 0))
    bands = log_bands(_WINDOW_FRAMES, _LOWEST_HZ, _HIGHEST_HZ, 16)
    fine = _rises(banded(scaled, _WINDOW_FRAMES, HOP_FRAMES, bands))
    low = _rises(banded(scaled, _LOW_WINDOW_FRAMES, COARSE_HOP_FRAMES, _low_band()))
    times_s, strengths = _attacks(fine)
    whole = len(fine) // COARSE * COARSE
    curve = fine[:whole].reshape(-1, COARSE).sum(axis=1)
    return Onsets(times_s - _LEAD / COARSE_HZ, strengths, curve[_LEAD:], low[_LEAD : len(curve)])


def _low_band() -> Signal:
    hertz = np.fft.rfftfreq(_LOW_WINDOW_FRAMES, 1 / RATE_HZ)
    band = (hertz < _LOW_HZ).astype(np.float32)
    weights: Signal = band[np.newaxis] / band.sum()
    return weights


def _rises(magnitudes: Signal) -> Floats:
    """How much the bands rise in all, in logarithms: quiet attacks count nearly as much as loud ones."""
    loudness = np.log1p(_LOUDNESS * magnitudes)
    rises = np.zeros(len(loudness))
    rises[_LAG:] = np.maximum(loudness[_LAG:] - loudness[:-_LAG], 0.0).sum(axis=1)
    return rises


def _attacks(rises: Floats) -> tuple[Floats, Floats]:
    """Times and strengths of peaks, between the values by a parabola."""
    height = max(rises.mean() + 0.5 * rises.std(), _LEAST_RISE)
    peaks, _ = find_peaks(rises, height=height, distance=round(_LEAST_GAP_S * _fine_hz()))
    before, at, after = rises[peaks - 1], rises[peaks], rises[peaks + 1]
    curvature = before - 2 * at + after
    shift = np.divide(0.5 * (before - after), curvature, out=np.zeros(len(peaks)), where=curvature < 0)
    return (peaks + shift - _LAG / 2) / _fine_hz() - _HEARD_LATE_S, at


def _fine_hz() -> float:
    return RATE_HZ / HOP_FRAMES
