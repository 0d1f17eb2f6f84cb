"""A tempo that steps: a grid that fits one part of a track says nothing of the attacks that are nowhere near it."""

from itertools import groupby, pairwise

import numpy as np

from services.exporter.core.analysis.constant import SteadyBeat, steady_beat
from services.exporter.core.analysis.onsets import Onsets

_PARTS = 10
_LEAST_RUN = 2
"""Parts next to each other, at least, that have a tempo of their own."""
_LEAST_ATTACKS = 4
_REACH_S = 0.035
_CLOSE_S, _LEAST_CLOSE = 0.01, 0.45
"""The part of the attacks within 35 ms that are within 10, which would be three in ten by chance."""
_LATE_S = 0.009
_STEP, _LEAST_STEP = 0.12, 0.01
"""How far the other tempo may be, and must be: rendered tracks of one tempo have parts off the grid at that tempo."""


def has_tempo_step(onsets: Onsets, beat: SteadyBeat) -> bool:
    """Whether a stretch of the track leaves the grid, and has a steady beat of another tempo itself."""
    edges_s = np.linspace(onsets.times_s[0], onsets.times_s[-1], _PARTS + 1)
    astray = [_is_astray(onsets.within(*part_s), beat) for part_s in pairwise(edges_s)]
    runs = [list(run) for is_astray, run in groupby(range(_PARTS), astray.__getitem__) if is_astray]
    longest = max(runs, key=len, default=[])
    if len(longest) < _LEAST_RUN:
        return False
    own = steady_beat(onsets.within(edges_s[longest[0]], edges_s[longest[-1] + 1]), beat.bpm, _STEP)
    return own is not None and abs(own.bpm / beat.bpm - 1) > _LEAST_STEP


def _is_astray(part: Onsets, beat: SteadyBeat) -> bool:
    """Whether there are attacks, and they are on the grid no more than by chance, or all beside it."""
    lags_s = (part.times_s - beat.start_s + beat.period_s / 2) % beat.period_s - beat.period_s / 2
    near_s = lags_s[np.abs(lags_s) <= _REACH_S]
    if len(near_s) < _LEAST_ATTACKS:
        return len(lags_s) >= _LEAST_ATTACKS
    return float(np.mean(np.abs(near_s) <= _CLOSE_S)) < _LEAST_CLOSE or abs(float(np.median(near_s))) > _LATE_S
