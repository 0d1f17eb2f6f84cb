"""How fast the beat goes, roughly, and whether there is one.

The beat is where the onsets repeat themselves after a quarter, a half, one, two, three and four beats at once: a
dotted rhythm repeats itself elsewhere too, but not after all of these.
"""

from dataclasses import dataclass

import numpy as np

from services.exporter.core.analysis.genres import Tempi
from services.exporter.core.analysis.onsets import COARSE_HZ
from services.exporter.core.analysis.signals import Floats
from stemhouse.analysis import AnalysisHints

SLOWEST_BPM, FASTEST_BPM = 48.0, 200.0

_WINDOW = 1024
"""Of the coarse curve: 12 s, within which tempo drifts little."""
_TREND = 64
_REPEATS = ((0.25, 0.3), (0.5, 0.5), (1.0, 1.0), (2.0, 1.0), (3.0, 0.5), (4.0, 1.0))
"""Beats, and the weight of a repetition after as many."""
_STEPS = 1200
_LEAST_SUPPORT = 0.9
"""Of the best score: a beat of another length than onsets repeat themselves at has less. A tag or a genre that does not
fit must not make two beats out of three, as counters of beats do."""
_OCTAVES = (0.5, 1.0, 2.0)
_SAME_OCTAVE = 0.02
_SHORTEST_LAG, _LONGEST_LAG = 20, 130
"""Of the coarse curve: 0.23 and 1.5 s."""


@dataclass(frozen=True)
class Pulse:
    """The likeliest tempo, and how clearly onsets repeat themselves, from 0 (not at all) to 1."""

    bpm: float
    clarity: float


def find_pulse(curve: Floats, hints: AnalysisHints) -> Pulse:
    """Of a coarse onset curve: where the tag says, or the genre, if onsets repeat themselves there well enough.

    Else it is what is heard without them, its half or its double, by which of them the genre makes likely.
    """
    likeness = _likeness(curve)
    bpms = np.geomspace(SLOWEST_BPM, FASTEST_BPM, _STEPS)
    bpm = _likeliest_bpm(bpms, _scores(likeness, bpms), hints)
    return Pulse(bpm, float(np.max(likeness[_SHORTEST_LAG:_LONGEST_LAG])))


def _likeliest_bpm(bpms: Floats, scores: Floats, hints: AnalysisHints) -> float:
    def likeliest(tempi: Tempi) -> int:
        return int(np.argmax(scores * tempi.likelihood(bpms)))

    genre = Tempi.of_genre(hints.genre)
    octaves = bpms[likeliest(Tempi.of_genre(""))] * np.array(_OCTAVES)
    for wished in (Tempi.of_tag(hints.bpm), genre) if hints.bpm > 0 else (genre,):
        best = likeliest(wished)
        is_octave = np.any(np.abs(np.log2(bpms[best] / octaves)) < _SAME_OCTAVE)
        if is_octave or scores[best] >= _LEAST_SUPPORT * np.max(scores):
            return float(bpms[best])
    octaves = octaves[(octaves >= SLOWEST_BPM) & (octaves <= FASTEST_BPM)]
    return float(octaves[np.argmax(np.interp(octaves, bpms, scores) * genre.likelihood(octaves))])


def local_tempi(curve: Floats, bpm: float, reach: float) -> Floats:
    """The tempo at each value of the curve, within a part `reach` of `bpm`: found each 6 s and drawn through."""
    bpms = bpm * np.linspace(1 - reach, 1 + reach, 161)
    middles, found = [], []
    for start in _starts(len(curve)):
        likeness = _likeness(curve[start : start + _WINDOW])
        middles.append(start + _WINDOW / 2)
        found.append(bpms[np.argmax(_scores(likeness, bpms))])
    smooth = _medians_of_three(np.array(found))
    tempi: Floats = np.interp(np.arange(len(curve)), middles, smooth)
    return tempi


def _medians_of_three(values: Floats) -> Floats:
    padded = np.pad(values, 1, mode="edge")
    medians: Floats = np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    return medians


def _starts(length: int) -> range:
    return range(0, max(length - _WINDOW, 1), _WINDOW // 2)


def _likeness(curve: Floats) -> Floats:
    """How alike the curve is to itself after each lag, 1 at none: the mean of windows."""
    trend = np.convolve(curve, np.full(_TREND, 1 / _TREND), "same")[: len(curve)]
    flat = curve - trend
    total = sum(_window_likeness(flat[start : start + _WINDOW]) for start in _starts(len(flat)))
    likeness: Floats = np.asarray(total)
    return likeness / max(float(likeness[0]), 1e-12)


def _window_likeness(values: Floats) -> Floats:
    power = np.abs(np.fft.rfft(values, 2 * _WINDOW)) ** 2
    products = np.fft.irfft(power)[:_WINDOW]
    likeness: Floats = products / (np.arange(_WINDOW, 0, -1) / _WINDOW)
    return likeness


def _scores(likeness: Floats, bpms: Floats) -> Floats:
    lags = 60.0 / bpms * COARSE_HZ
    indices = np.arange(len(likeness))
    weighted = [weight * np.interp(beats * lags, indices, likeness) for beats, weight in _REPEATS]
    total: Floats = np.sum(weighted, axis=0)
    return total.clip(min=0.0)
