"""The parts of a track: where many bars sound unlike the bars before."""

from itertools import pairwise

import numpy as np
from scipy.signal import find_peaks

from services.exporter.core.analysis.keys import CHROMA_HZ
from services.exporter.core.analysis.signals import RATE_HZ, Floats, Signal, banded, log_bands
from stemhouse.analysis import BeatGrid, Section

_WINDOW_FRAMES, _HOP_FRAMES = 2048, 1024
_BAND_COUNT = 24
_SIDE_BARS = 4
"""What is compared on either side of a bar."""
_LEAST_BARS = 16
_SHORTEST_BARS = 4
_ON_A_LINE = 0.02
"""Of a bar: what begins so little after a line begins with it."""
_LEAST_COLOUR_DB, _LEAST_HARMONY = 4.0, 0.05
"""How far bars are from their mean, in all bands or pitch classes together: less is the noise of a steady sound."""
_CLEAR = 0.35
"""How unlike two sides are at a boundary, from 0 to 1."""
_PROMINENT = 0.15
_ALIKE = 0.85
"""How alike parts of one label are, as a cosine."""
_LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def find_sections(signal: Signal, chroma: Floats, grid: BeatGrid) -> tuple[Section, ...]:
    """Parts that begin on bars, or none where nothing clearly begins."""
    bars_s = _bars_s(grid, len(signal) / RATE_HZ)
    if len(bars_s) <= _LEAST_BARS:
        return ()
    features = _features(signal, chroma, bars_s)
    starts = _boundaries(features)
    return _sections(features, starts, bars_s, len(signal) / RATE_HZ) if starts else ()


def _bars_s(grid: BeatGrid, duration_s: float) -> Floats:
    """All bar lines of the track: it may begin before its drums."""
    first_bar = np.ceil(grid.beat_at(0.0) / grid.beats_per_bar - _ON_A_LINE)
    beats = np.arange(first_bar * grid.beats_per_bar, max(grid.beat_at(duration_s), 0.0), grid.beats_per_bar)
    return np.array([grid.time_at(float(beat)) for beat in beats])


def _features(signal: Signal, chroma: Floats, bars_s: Floats) -> Floats:
    """What each bar sounds like, (bars, features): colour and loudness, and harmony at half the weight."""
    bands = banded(signal, _WINDOW_FRAMES, _HOP_FRAMES, log_bands(_WINDOW_FRAMES, 40.0, 10_500.0, _BAND_COUNT))
    colour = _means(20 * np.log10(np.maximum(bands, 1e-4)), bars_s * RATE_HZ / _HOP_FRAMES)
    harmony = _means(chroma / np.maximum(chroma.sum(axis=1, keepdims=True), 1e-9), bars_s * CHROMA_HZ)
    return np.hstack([_scaled(colour, _LEAST_COLOUR_DB), 0.5 * _scaled(harmony, _LEAST_HARMONY)])


def _means(values: Floats, edges: Floats) -> Floats:
    """Of the values between neighbouring edges; the last bar ends with the values."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    places = np.clip(np.round(np.append(edges, len(values))).astype(int), 0, len(values))
    lengths = np.maximum(np.diff(places), 1)[:, None]
    means: Floats = (sums[places[1:]] - sums[places[:-1]]) / lengths
    return means


def _scaled(features: Floats, least: float) -> Floats:
    """Around 0, as large as other features whatever their number and unit; what varies less than `least` stays less."""
    centred = features - features.mean(axis=0)
    scaled: Floats = centred / max(float(np.sqrt((centred**2).sum(axis=1).mean())), least)
    return scaled


def _boundaries(features: Floats) -> list[int]:
    """Bars with which something new begins."""
    novelty = np.zeros(len(features))
    for bar in range(_SHORTEST_BARS, len(features) - _SHORTEST_BARS + 1):
        before, after = features[bar - _SIDE_BARS : bar], features[bar : bar + _SIDE_BARS]
        novelty[bar] = _unlikeness(before, after)
    peaks, _ = find_peaks(novelty, height=_CLEAR, prominence=_PROMINENT, distance=_SHORTEST_BARS)
    return [int(peak) for peak in peaks]


def _unlikeness(before: Floats, after: Floats) -> float:
    """The part of all variance that lies between the two sides, from 0 to 1, if they vary as the track does."""
    gap = float(((before.mean(axis=0) - after.mean(axis=0)) ** 2).sum()) / 4
    within = float((before.var(axis=0) + after.var(axis=0)).sum()) / 2
    usual = 1.25 / 8  # of a track whose features have the scale of _scaled
    return gap / max(gap + within, usual)


def _sections(features: Floats, starts: list[int], bars_s: Floats, duration_s: float) -> tuple[Section, ...]:
    edges = [0, *starts, len(features)]
    means = [features[first:last].mean(axis=0) for first, last in pairwise(edges)]
    times_s = [0.0, *(float(bars_s[start]) for start in starts), duration_s]
    spans = zip(pairwise(times_s), _labels(means), strict=True)
    return tuple(Section(start_s, end_s, label) for (start_s, end_s), label in spans)


def _labels(means: list[Floats]) -> list[str]:
    """A letter for each part, in order of appearance: that of the most alike part before, if alike enough."""
    labels: list[str] = []
    for index, mean in enumerate(means):
        likeness = [_cosine(mean, earlier) for earlier in means[:index]]
        closest = int(np.argmax(likeness)) if likeness else -1
        if closest >= 0 and likeness[closest] >= _ALIKE:
            labels.append(labels[closest])
        else:
            labels.append(_LABELS[min(len(set(labels)), len(_LABELS) - 1)])
    return labels


def _cosine(one: Floats, other: Floats) -> float:
    return float(one @ other) / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12)
