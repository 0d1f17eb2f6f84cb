"""A tempo that drifts: beats followed one by one, and a grid through few of their bars."""

from itertools import pairwise

import librosa
import numpy as np

from services.exporter.core.analysis.onsets import COARSE_HOP_FRAMES, Onsets
from services.exporter.core.analysis.pulse import local_tempi
from services.exporter.core.analysis.signals import RATE_HZ, Floats
from stemhouse.analysis import BeatGrid, GridMarker

_DRIFT = 0.12
"""The part of a tempo by which it may drift."""
_TIGHTNESS = 300
_REACH_S = 0.04
_SIDE_BEATS = 4
"""Of the beats on either side, a line is drawn through for each beat."""
_TOLERANCE_S = 0.006
"""How far bars may be off the grid before it gets a marker more: what nobody hears, and one marker in 4 to 16 bars."""
_TUKEY_S = 0.02
_LEAST_BARS = 2


def followed_beats_s(onsets: Onsets, bpm: float) -> Floats:
    """The time of each beat, throughout."""
    tracked_s = _tracked_s(onsets, bpm)
    if len(tracked_s) < 2 * _SIDE_BEATS:
        return np.zeros(0)
    return _smooth(_sharpened(onsets, tracked_s))


def _tracked_s(onsets: Onsets, bpm: float) -> Floats:
    """By librosa's dynamic programming (Ellis 2007), told what the tempo is at each moment."""
    _, beats_s = librosa.beat.beat_track(
        onset_envelope=onsets.curve,
        sr=RATE_HZ,
        hop_length=COARSE_HOP_FRAMES,
        tightness=_TIGHTNESS,
        trim=False,
        bpm=local_tempi(onsets.curve, bpm, _DRIFT),
        units="time",
    )
    return np.asarray(beats_s, np.float64)


def _sharpened(onsets: Onsets, beats_s: Floats) -> Floats:
    """On the nearest attack where there is one."""
    nearest = onsets.nearest_s(beats_s)
    return np.where(np.abs(nearest - beats_s) <= _REACH_S, nearest, beats_s)


def _smooth(beats_s: Floats) -> Floats:
    """Each beat from a line through its neighbours: a player's beats wander, single hits only scatter."""
    numbers = np.arange(len(beats_s), dtype=np.float64)
    smooth = np.empty(len(beats_s))
    for beat in range(len(beats_s)):
        near = slice(max(beat - _SIDE_BEATS, 0), beat + _SIDE_BEATS + 1)
        smooth[beat] = _on_line(numbers[near] - beat, beats_s[near])
    return np.maximum.accumulate(smooth)


def _on_line(offsets: Floats, times_s: Floats) -> float:
    """The time at offset 0, outliers left out."""
    degree = 2 if len(offsets) > 2 * _SIDE_BEATS else 1
    weights = np.ones(len(times_s))
    for _ in range(3):
        line = np.polyfit(offsets, times_s, degree, w=weights)
        weights = np.clip(1 - ((times_s - np.polyval(line, offsets)) / _TUKEY_S) ** 2, 1e-3, 1.0)
    return float(line[-1])


def drifting_grid(downbeats_s: Floats, beats_per_bar: int) -> BeatGrid | None:
    """Through as few downbeats as keep all others within _TOLERANCE_S; None if there are too few."""
    if len(downbeats_s) < _LEAST_BARS:
        return None
    kept = _corners(downbeats_s)
    markers = tuple(GridMarker(float(downbeats_s[bar]), float(bar * beats_per_bar)) for bar in kept)
    tempi = [60 * (after.beat - marker.beat) / (after.time_s - marker.time_s) for marker, after in pairwise(markers)]
    lengths_s = np.diff([marker.time_s for marker in markers])
    return BeatGrid(_weighted_median(np.array(tempi), lengths_s), markers, tempi[-1], beats_per_bar)


def _corners(times_s: Floats) -> list[int]:
    """Which points a polyline needs (Douglas and Peucker 1973), its error taken along the axis of time."""
    kept, open_ranges = {0, len(times_s) - 1}, [(0, len(times_s) - 1)]
    while open_ranges:
        first, last = open_ranges.pop()
        straight = np.interp(np.arange(first, last + 1), [first, last], [times_s[first], times_s[last]])
        errors = np.abs(times_s[first : last + 1] - straight)
        worst = first + int(np.argmax(errors))
        if errors[worst - first] > _TOLERANCE_S:
            kept.add(worst)
            open_ranges += [(first, worst), (worst, last)]
    return sorted(kept)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    shares = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(shares, shares[-1] / 2)])
