"""Which moments are beats, and which beats are the first of a bar.

Attacks alone leave open whether a beat or the half between two beats is meant. Harmony changes with bars, the bass
sounds on their first beats, and more begins on beats than between them; so the eight halves of a bar are weighed.
"""

import numpy as np

from services.exporter.core.analysis.onsets import COARSE_HZ, Onsets
from services.exporter.core.analysis.signals import Floats

BEATS_PER_BAR = 4
HALVES_PER_BAR = 2 * BEATS_PER_BAR
_KICK, _ATTACK, _CHANGE, _BEATS = 1.0, 0.3, 2.0, 1.0
"""How much bass attacks, attacks and changes of harmony say for a half to begin a bar, and attacks on its beats."""
_NEAR_S = 0.03


def first_bar(onsets: Onsets, chroma: Floats, chroma_hz: float, halves_s: Floats, begins_s: float) -> int:
    """The place in `halves_s`, halves of beats, of the first downbeat once the track has begun.

    `chroma` is (times, 12), `chroma_hz` a second; `begins_s` is when the track is heard first.
    """
    phase = int(np.argmax(_evidence(onsets, chroma, chroma_hz, halves_s)))
    begun = np.flatnonzero(halves_s >= min(begins_s, onsets.times_s[0]) - _NEAR_S)
    first = int(begun[0]) if len(begun) else 0
    return first + (phase - first) % HALVES_PER_BAR


def _evidence(onsets: Onsets, chroma: Floats, chroma_hz: float, halves_s: Floats) -> Floats:
    """For each of the eight phases of a bar."""
    kicks = _by_phase(_near(onsets.low_curve, halves_s))
    attacks = _by_phase(_near(onsets.curve, halves_s))
    changes = _by_phase(_changes(chroma, chroma_hz, halves_s))
    on_beats = np.resize([attacks[::2].mean() - attacks[1::2].mean(), attacks[1::2].mean() - attacks[::2].mean()], 8)
    evidence: Floats = _KICK * kicks + _ATTACK * attacks + _CHANGE * changes + _BEATS * on_beats
    return evidence


def _by_phase(values: Floats) -> Floats:
    """Means for each phase of a bar, in standard deviations from the mean of all."""
    standard = (values - values.mean()) / max(float(values.std()), 1e-12)
    phases = np.arange(len(values)) % HALVES_PER_BAR
    return np.bincount(phases, standard, HALVES_PER_BAR) / np.maximum(np.bincount(phases, minlength=HALVES_PER_BAR), 1)


def _near(curve: Floats, times_s: Floats) -> Floats:
    """The largest value within _NEAR_S of each time."""
    reach = round(_NEAR_S * COARSE_HZ)
    centres = np.clip(np.round(times_s * COARSE_HZ).astype(int), reach, len(curve) - reach - 1)
    offsets = np.arange(-reach, reach + 1)
    largest: Floats = curve[centres[:, None] + offsets].max(axis=1)
    return largest


def _changes(chroma: Floats, chroma_hz: float, halves_s: Floats) -> Floats:
    """How much harmony differs between the two beats before and the two after each moment."""
    sums = np.concatenate([np.zeros((1, chroma.shape[1])), np.cumsum(chroma, axis=0)])
    edges = np.clip(np.round(halves_s * chroma_hz).astype(int), 0, len(chroma))
    changes = np.zeros(len(halves_s))
    side = HALVES_PER_BAR // 2
    for half in range(side, len(halves_s) - side):
        before = sums[edges[half]] - sums[edges[half - side]]
        after = sums[edges[half + side]] - sums[edges[half]]
        changes[half] = 1 - float(before @ after) / max(float(np.linalg.norm(before) * np.linalg.norm(after)), 1e-12)
    return changes
