"""Grids that a DJ program has left, held against what is heard."""

import numpy as np

from services.exporter.core.analysis.onsets import Onsets
from services.exporter.core.analysis.signals import Floats
from stemhouse.analysis import BeatGrid

_REACH_S = 0.035
_LATE_S = 0.012
"""How far the middle of any part's attacks may be off: encoders' delays and programs' rounding stay within it."""
_PARTS = 6
_LEAST_PART = 4
_DENSER_THAN_CHANCE = 1.3
_LEAST_MET = 0.3


def agrees(grid: BeatGrid, onsets: Onsets, duration_s: float) -> bool:
    """Whether attacks lie on the beats of a grid, from beginning to end, more than between them."""
    beats_s = _beats_s(grid, duration_s)
    met_s, between_s = _lags_s(onsets, beats_s), _lags_s(onsets, _midway(beats_s))
    if len(met_s) < max(_PARTS * _LEAST_PART / 2, _LEAST_MET * len(beats_s)):
        return False
    parts = np.array_split(met_s, min(_PARTS, len(met_s) // _LEAST_PART))
    is_straight = all(abs(float(np.median(part))) <= _LATE_S for part in parts) and _is_met_throughout(beats_s, onsets)
    return is_straight and (_spread(met_s) < _spread(between_s) or len(met_s) > _DENSER_THAN_CHANCE * len(between_s))


def _is_met_throughout(beats_s: Floats, onsets: Onsets) -> bool:
    """Whether beats are met in every part of the track in which there are attacks: a wrong tempo runs away."""
    for part_s in np.array_split(beats_s, _PARTS):
        attacks = np.count_nonzero((onsets.times_s >= part_s[0]) & (onsets.times_s <= part_s[-1]))
        if attacks >= _LEAST_PART and not len(_lags_s(onsets, part_s)):
            return False
    return True


def _beats_s(grid: BeatGrid, duration_s: float) -> Floats:
    """All beats within the track."""
    numbers = np.arange(np.ceil(grid.beat_at(0.0)), grid.beat_at(duration_s))
    return np.array([grid.time_at(float(number)) for number in numbers])


def _midway(beats_s: Floats) -> Floats:
    """Where no beat is, nor the half of one: a third of the way."""
    between: Floats = beats_s[:-1] + np.diff(beats_s) / 3
    return between


def _lags_s(onsets: Onsets, beats_s: Floats) -> Floats:
    """How late the nearest attacks are, where there are any within reach."""
    lags_s = onsets.nearest_s(beats_s) - beats_s
    return lags_s[np.abs(lags_s) <= _REACH_S]


def _spread(lags_s: Floats) -> float:
    return float(np.median(np.abs(lags_s - np.median(lags_s)))) if len(lags_s) else float("inf")
