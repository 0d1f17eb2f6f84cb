"""When sounds begin in a stem that may be sung.

Held notes and choirs flicker: what shows to a millisecond when a hat was struck cuts them to shards. This looks at
longer windows, and is wrong by some milliseconds.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, median_filter
from scipy.signal import find_peaks

from services.exporter.core.analysis.signals import RATE_HZ, Floats, Signal, banded, log_bands

_WINDOW_FRAMES, _HOP_FRAMES, _LAG = 1024, 128, 3
_LOWEST_HZ, _HIGHEST_HZ, _BAND_COUNT = 80.0, 8000.0, 120
_NEIGHBOURS = 3
_FLOOR_DB = 40.0
"""Below the loud moments; what is further down may flicker as it likes."""
_LOUD_PERCENTILE = 95
_LEAST_MAGNITUDE = 1e-5
_LEAST_RISE_DB = 1.2
"""Mean of all bands, and above what is usual just there. Held tones and choirs stay below, soft syllables do not."""
_USUAL_S, _LEAST_GAP_S = 0.2, 0.04
_EARLY_S = 0.009
"""Windows reach ahead: a rise shows so much before its attack, as measured with syllables of all kinds."""


def attack_times_s(mono: Signal) -> Floats:
    """In seconds of a signal at RATE_HZ that is not silent, in order, to some milliseconds.

    A note that slides into the next one is none, nor is a change of pitch that is as soft: neither begins.
    """
    rises, hop_s = _rises_db(mono), _HOP_FRAMES / RATE_HZ
    peaks, _ = find_peaks(rises, height=_LEAST_RISE_DB, distance=round(_LEAST_GAP_S / hop_s))
    usual = median_filter(rises, size=round(_USUAL_S / hop_s) | 1)
    peaks = peaks[rises[peaks] - usual[peaks] >= _LEAST_RISE_DB]
    times_s: Floats = (peaks - _LAG / 2) * hop_s + _EARLY_S
    return times_s


def _rises_db(mono: Signal) -> npt.NDArray[np.float32]:
    """How much bands rise, against themselves and their neighbours: vibrato only moves from one to the next.

    After Böck and Widmer, "Maximum filter vibrato suppression for onset detection" (DAFx 2013).
    """
    magnitudes = banded(
        mono, _WINDOW_FRAMES, _HOP_FRAMES, log_bands(_WINDOW_FRAMES, _LOWEST_HZ, _HIGHEST_HZ, _BAND_COUNT)
    )
    strengths = np.sqrt(np.square(magnitudes).mean(axis=1))
    loud = np.percentile(strengths[strengths > min(_LEAST_MAGNITUDE, strengths.max() / 2)], _LOUD_PERCENTILE)
    levels = 20 * np.log10(np.maximum(magnitudes / np.float32(loud), np.float32(10 ** (-_FLOOR_DB / 20))))
    before = maximum_filter1d(levels, _NEIGHBOURS, axis=1)
    rises = np.zeros(len(levels), dtype=np.float32)
    rises[_LAG:] = np.maximum(levels[_LAG:] - before[:-_LAG], 0.0).mean(axis=1)
    return rises
