"""The beat grid of a track: steady if its attacks allow it, else drifting, else none."""

from dataclasses import dataclass
from math import log2

import numpy as np

from services.exporter.core.analysis.bars import BEATS_PER_BAR, HALVES_PER_BAR, first_bar
from services.exporter.core.analysis.constant import SteadyBeat, refitted, rounded, steady_beat
from services.exporter.core.analysis.drifting import drifting_grid, followed_beats_s
from services.exporter.core.analysis.keys import CHROMA_HZ
from services.exporter.core.analysis.onsets import Onsets
from services.exporter.core.analysis.programs import agrees
from services.exporter.core.analysis.pulse import find_pulse
from services.exporter.core.analysis.signals import Floats
from services.exporter.core.analysis.tempo_steps import has_tempo_step
from stemhouse.analysis import AnalysisHints, BeatGrid, GridMarker, GridSource

_LEAST_CLARITY, _CHANCE_CLARITY_S = 0.11, 0.6
"""Noise and speech repeat themselves to less than 0.09 in 30 s, and by chance more in less; sparse drums to 0.16."""
_LEAST_ATTACKS = 8
_LEAST_ON_ATTACKS = 0.5
_NEAR_S = 0.03
_SAME_OCTAVE = 0.05


@dataclass(frozen=True)
class HeardTrack:
    """What a grid is found in: attacks, of the drums where they are known; harmony, (times, 12) at CHROMA_HZ; seconds.

    `begins_s` is when anything of the track is heard first.
    """

    onsets: Onsets
    chroma: Floats
    duration_s: float
    begins_s: float


def find_grid(track: HeardTrack, hints: AnalysisHints) -> BeatGrid | None:
    """The grid that hints name if attacks lie on it, else the one that is heard, or None if no beat is."""
    if len(track.onsets.times_s) < _LEAST_ATTACKS:
        return None
    heard = _heard_grid(track, hints)
    if hints.grid is not None and agrees(hints.grid, track.onsets, track.duration_s) and _is_octave(hints.grid, heard):
        return hints.grid
    return heard


def _is_octave(grid: BeatGrid, heard: BeatGrid | None) -> bool:
    """Whether it has the tempo that is heard, its half or its double: attacks lie on two beats out of three, too."""
    if heard is None:
        return True
    octaves = log2(grid.bpm / heard.bpm)
    return abs(octaves - round(octaves)) < _SAME_OCTAVE


def _heard_grid(track: HeardTrack, hints: AnalysisHints) -> BeatGrid | None:
    pulse = find_pulse(track.onsets.curve, hints)
    if pulse.clarity < _LEAST_CLARITY + _CHANCE_CLARITY_S / track.duration_s:
        return None
    beat = steady_beat(track.onsets, pulse.bpm)
    if beat is None or has_tempo_step(track.onsets, beat):
        return _drifting_grid(track, pulse.bpm)
    return _steady_grid(track, beat, hints.bpm)


def _steady_grid(track: HeardTrack, beat: SteadyBeat, tag_bpm: float) -> BeatGrid:
    """With the bars that are heard; if they begin between the beats, the beats are moved there."""
    half_s = beat.period_s / 2
    first_s = (beat.start_s + _NEAR_S) % half_s - _NEAR_S  # what begins with the track may seem to begin before it
    halves_s = np.arange(first_s, track.duration_s, half_s)
    downbeat_s = halves_s[min(_first_bar(track, halves_s), len(halves_s) - 1)]
    onsets = track.onsets
    exact = rounded(onsets, refitted(onsets, SteadyBeat(float(downbeat_s), beat.period_s)) or beat, tag_bpm)
    downbeat_s = exact.start_s + exact.period_s * round((downbeat_s - exact.start_s) / exact.period_s)
    bpm = _exact(exact.bpm, tag_bpm)
    source = GridSource.TAG if bpm == tag_bpm else GridSource.AUDIO
    return BeatGrid(bpm, (GridMarker(max(float(downbeat_s), 0.0), 0.0),), bpm, BEATS_PER_BAR, source)


def _exact(bpm: float, tag_bpm: float) -> float:
    """Without the noise that two divisions leave in a tempo that is meant to be round."""
    return next((exact for exact in (tag_bpm, round(bpm, 2)) if abs(exact - bpm) < 1e-9), bpm)  # noqa: PLR2004 - BPM


def _first_bar(track: HeardTrack, halves_s: Floats) -> int:
    return first_bar(track.onsets, track.chroma, CHROMA_HZ, halves_s, track.begins_s)


def _drifting_grid(track: HeardTrack, bpm: float) -> BeatGrid | None:
    beats_s = followed_beats_s(track.onsets, bpm)
    if len(beats_s) < 2 * BEATS_PER_BAR or _on_attacks(track.onsets, beats_s) < _LEAST_ON_ATTACKS:
        return None
    halves_s = np.interp(np.arange(2 * len(beats_s) - 1) / 2, np.arange(len(beats_s)), beats_s)
    downbeat = _first_bar(track, halves_s)
    return drifting_grid(halves_s[downbeat::HALVES_PER_BAR], BEATS_PER_BAR)


def _on_attacks(onsets: Onsets, beats_s: Floats) -> float:
    """The part of the beats that an attack is near."""
    return float(np.mean(np.abs(onsets.nearest_s(beats_s) - beats_s) <= _NEAR_S))
