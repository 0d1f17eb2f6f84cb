"""The beat grid of a track: steady if its attacks allow it, else drifting, else none."""

import numpy as np

from services.exporter.core.analysis.bars import BEATS_PER_BAR, HALVES_PER_BAR, first_bar
from services.exporter.core.analysis.constant import SteadyBeat, refitted, rounded, steady_beat
from services.exporter.core.analysis.drifting import drifting_grid, followed_beats_s
from services.exporter.core.analysis.keys import CHROMA_HZ
from services.exporter.core.analysis.onsets import Onsets
from services.exporter.core.analysis.programs import agrees
from services.exporter.core.analysis.pulse import find_pulse
from services.exporter.core.analysis.signals import Floats
from stemhouse.analysis import AnalysisHints, BeatGrid, GridMarker, GridSource

_LEAST_CLARITY, _CHANCE_CLARITY_S = 0.11, 0.6
"""Noise and speech repeat themselves to less than 0.09 in 30 s, and by chance more in less; sparse drums to 0.16."""
_LEAST_ATTACKS = 8
_LEAST_ON_ATTACKS = 0.5
_NEAR_S = 0.03


def find_grid(onsets: Onsets, chroma: Floats, duration_s: float, hints: AnalysisHints) -> BeatGrid | None:
    """The grid that hints name if attacks lie on it, else the one that is heard, or None if no beat is."""
    if len(onsets.times_s) < _LEAST_ATTACKS:
        return None
    if hints.grid is not None and agrees(hints.grid, onsets, duration_s):
        return hints.grid
    pulse = find_pulse(onsets.curve, hints)
    if pulse.clarity < _LEAST_CLARITY + _CHANCE_CLARITY_S / duration_s:
        return None
    beat = steady_beat(onsets, pulse.bpm)
    if beat is None:
        return _drifting_grid(onsets, chroma, pulse.bpm)
    return _steady_grid(onsets, chroma, duration_s, beat, hints.bpm)


def _steady_grid(onsets: Onsets, chroma: Floats, duration_s: float, beat: SteadyBeat, tag_bpm: float) -> BeatGrid:
    """With the bars that are heard; if they begin between the beats, the beats are moved there."""
    half_s = beat.period_s / 2
    halves_s = np.arange(beat.start_s % half_s, duration_s, half_s)
    downbeat_s = halves_s[min(first_bar(onsets, chroma, CHROMA_HZ, halves_s), len(halves_s) - 1)]
    exact = rounded(onsets, refitted(onsets, SteadyBeat(float(downbeat_s), beat.period_s)) or beat, tag_bpm)
    first_s = exact.start_s + exact.period_s * round((downbeat_s - exact.start_s) / exact.period_s)
    bpm = _exact(exact.bpm, tag_bpm)
    source = GridSource.TAG if bpm == tag_bpm else GridSource.AUDIO
    return BeatGrid(bpm, (GridMarker(max(float(first_s), 0.0), 0.0),), bpm, BEATS_PER_BAR, source)


def _exact(bpm: float, tag_bpm: float) -> float:
    """Without the noise that two divisions leave in a tempo that is meant to be round."""
    return next((exact for exact in (tag_bpm, round(bpm, 2)) if abs(exact - bpm) < 1e-9), bpm)  # noqa: PLR2004 - BPM


def _drifting_grid(onsets: Onsets, chroma: Floats, bpm: float) -> BeatGrid | None:
    beats_s = followed_beats_s(onsets, bpm)
    if len(beats_s) < 2 * BEATS_PER_BAR or _on_attacks(onsets, beats_s) < _LEAST_ON_ATTACKS:
        return None
    halves_s = np.interp(np.arange(2 * len(beats_s) - 1) / 2, np.arange(len(beats_s)), beats_s)
    downbeat = first_bar(onsets, chroma, CHROMA_HZ, halves_s)
    return drifting_grid(halves_s[downbeat::HALVES_PER_BAR], BEATS_PER_BAR)


def _on_attacks(onsets: Onsets, beats_s: Floats) -> float:
    """The part of the beats that an attack is near."""
    return float(np.mean(np.abs(onsets.nearest_s(beats_s) - beats_s) <= _NEAR_S))
