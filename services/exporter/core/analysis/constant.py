"""One tempo for a whole track, from attacks that are up to minutes apart."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from services.exporter.core.analysis.onsets import COARSE_HZ, Onsets
from services.exporter.core.analysis.signals import Floats

_SEARCH = 0.015
"""The part of a tempo by which the pulse may be wrong."""
_CYCLES = 32
"""Steps of the search for each cycle that a step of tempo adds over the whole track: ends are met within 1/64 beat."""
_HARMONICS = (1, 2, 4)
_PHASES = 96
"""Of a beat."""
_REACHES_S = (0.035, 0.025, 0.02)
"""How far an attack may be from its beat, fit by fit."""
_TUKEY = 4.685
_LEAST_SPREAD_S = 0.001
_PARTS = 10
_PARTS_FOR_ONE_ASTRAY = 5
"""One part in five may be off the grid: what begins or ends a track is not always on its beat."""
_STRAIGHT_S = 0.009
"""How far the middle of a part's attacks may be off a straight grid."""
_CLOSE_S, _LEAST_CLOSE = 0.01, 0.57
"""The part of the attacks within 35 ms that are within 10: 0.59 and more of played and programmed music at one tempo,
0.53 and less where the tempo drifts; three in ten by chance."""
_LEAST_MATCHED = 0.3
_LEAST_BEATS = 8
_WORSE_S = 0.001
"""What a rounder tempo may move the grid's ends by."""


@dataclass(frozen=True)
class SteadyBeat:
    """Beats at `start_s + n * period_s`; `matched` is the part of the beats that attacks lie on."""

    start_s: float
    period_s: float
    matched: float = 0.0

    @property
    def bpm(self) -> float:
        """Beats per minute."""
        return 60.0 / self.period_s


@dataclass(frozen=True)
class Matches:
    """Attacks on beats: the number of each beat, and the time of its attack."""

    beats: Floats
    times_s: Floats

    def lags_s(self, beat: SteadyBeat) -> Floats:
        """How late the attacks are."""
        lags: Floats = self.times_s - (beat.start_s + self.beats * beat.period_s)
        return lags


def steady_beat(onsets: Onsets, bpm: float, reach: float = _SEARCH) -> SteadyBeat | None:
    """The grid on which the attacks lie, of one tempo within a part `reach` of `bpm`, or None if they lie on none."""
    if len(onsets.times_s) < _LEAST_BEATS:
        return None
    beat = refitted(onsets, _with_phase(onsets, 60.0 / _sharpened(onsets, bpm, reach)))
    return beat if beat and is_straight(onsets, beat) else None


def refitted(onsets: Onsets, beat: SteadyBeat) -> SteadyBeat | None:
    """As the attacks near the beats have it, or None if there are too few."""
    for reach_s in _REACHES_S:
        matches = matches_within(onsets, beat, reach_s)
        if len(matches.beats) < _LEAST_BEATS:
            return None
        beat = _fitted(matches, beat)
    return beat


def matches_within(onsets: Onsets, beat: SteadyBeat, reach_s: float) -> Matches:
    """The strongest attack near each beat, if one is as near as that."""
    numbers = np.round((onsets.times_s - beat.start_s) / beat.period_s)
    near = np.abs(onsets.times_s - beat.start_s - numbers * beat.period_s) <= reach_s
    numbers, times_s, strengths = numbers[near], onsets.times_s[near], onsets.strengths[near]
    order = np.lexsort((-strengths, numbers))
    beats, firsts = np.unique(numbers[order], return_index=True)
    return Matches(beats, times_s[order][firsts])


def is_straight(onsets: Onsets, beat: SteadyBeat) -> bool:
    """Whether the attacks stay on the grid from beginning to end."""
    matches = matches_within(onsets, beat, _REACHES_S[0])
    if len(matches.beats) < _LEAST_BEATS or beat.matched < _LEAST_MATCHED:
        return False
    lags_s = matches.lags_s(beat)
    parts = np.array_split(lags_s, min(_PARTS, len(lags_s) // _LEAST_BEATS))
    astray = sum(abs(float(np.median(part))) > _STRAIGHT_S for part in parts)
    is_close = float(np.mean(np.abs(lags_s) <= _CLOSE_S)) >= _LEAST_CLOSE
    return is_close and astray <= len(parts) // _PARTS_FOR_ONE_ASTRAY


def _sharpened(onsets: Onsets, bpm: float, reach: float) -> float:
    """The tempo within a part `reach` of `bpm` at which the attacks are most in phase."""
    length_s = float(onsets.times_s[-1] - onsets.times_s[0])
    beats_over_all = bpm / 60 * length_s
    steps = max(int(2 * reach * beats_over_all * _CYCLES), 8)
    tempi_hz = bpm / 60 * np.linspace(1 - reach, 1 + reach, steps)
    return 60.0 * float(tempi_hz[np.argmax([_in_phase(onsets, tempo_hz) for tempo_hz in tempi_hz])])


def _in_phase(onsets: Onsets, tempo_hz: float) -> float:
    turns = np.exp(2j * np.pi * tempo_hz * onsets.times_s)
    return sum(abs(complex(np.sum(onsets.strengths * turns**harmonic))) for harmonic in _HARMONICS)


def _with_phase(onsets: Onsets, period_s: float) -> SteadyBeat:
    """The phase at which most begins, the bass counting as much as all else."""
    profile = _folded(onsets.curve, period_s) + _folded(onsets.low_curve, period_s)
    smooth = sum(np.roll(profile, shift) for shift in range(-2, 3))
    return SteadyBeat(float(np.argmax(smooth)) / _PHASES * period_s, period_s)


def _folded(curve: Floats, period_s: float) -> Floats:
    """The mean of a coarse curve over all beats, one value for each of _PHASES, in shares of all."""
    phases = np.arange(len(curve)) / COARSE_HZ / period_s % 1.0
    profile = np.bincount((phases * _PHASES).astype(int) % _PHASES, curve, _PHASES)
    shares: Floats = profile / max(profile.sum(), 1e-12)
    return shares


def _fitted(matches: Matches, beat: SteadyBeat) -> SteadyBeat:
    """Least squares in which attacks count less the farther off they are, and not at all far off (Tukey's biweight)."""
    for _ in range(8):
        lags_s = matches.lags_s(beat)
        spread_s = max(1.4826 * float(np.median(np.abs(lags_s - np.median(lags_s)))), _LEAST_SPREAD_S)
        weights = np.sqrt(np.clip(1 - ((lags_s - np.median(lags_s)) / (_TUKEY * spread_s)) ** 2, 0.0, 1.0) ** 2)
        period_s, start_s = np.polyfit(matches.beats, matches.times_s, 1, w=weights)
        beat = SteadyBeat(float(start_s), float(period_s))
    span = matches.beats[-1] - matches.beats[0] + 1
    return SteadyBeat(beat.start_s, beat.period_s, len(matches.beats) / float(span))


def rounded(onsets: Onsets, beat: SteadyBeat, tag_bpm: float) -> SteadyBeat:
    """With the tempo of the tag, a whole one or one of two decimals, if the attacks fit it as well."""
    matches = matches_within(onsets, beat, _REACHES_S[-1])
    for bpm in (tag_bpm, round(beat.bpm), round(beat.bpm, 2)):
        if bpm > 0 and _fits_as_well(matches, beat, bpm):
            middle = float(np.mean(matches.beats))
            start_s = beat.start_s + middle * (beat.period_s - 60.0 / bpm)
            return SteadyBeat(start_s, 60.0 / bpm, beat.matched)
    return beat


def _fits_as_well(matches: Matches, beat: SteadyBeat, bpm: float) -> bool:
    """Whether neither end moves by more than a millisecond, or than chance would move it."""
    length = float(np.ptp(matches.beats))
    spread_s = 1.4826 * float(np.median(np.abs(matches.lags_s(beat))))
    by_chance_s = 2 * spread_s * sqrt(3 / len(matches.beats))
    return abs(60.0 / bpm - beat.period_s) * length / 2 <= max(by_chance_s, _WORSE_S)
