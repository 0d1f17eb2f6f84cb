"""The key of a track, from how much of each pitch class sounds in it."""

import librosa
import numpy as np

from services.exporter.core.analysis.signals import RATE_HZ, Floats, Signal
from services.exporter.core.keys import Key
from stemhouse.analysis import MusicalKey

CHROMA_HOP_FRAMES = 2048
CHROMA_HZ = RATE_HZ / CHROMA_HOP_FRAMES

_LOWEST_NOTE_HZ = 65.41  # C2
_OCTAVES = 5
_TUNED_BY_S = 60
"""How much of a track's middle tells how it is tuned."""
_MAJOR_PROFILE = (6.6, 2.0, 3.5, 2.3, 4.6, 4.0, 2.5, 5.2, 2.4, 3.7, 2.3, 3.4)
_MINOR_PROFILE = (6.5, 2.7, 3.5, 5.4, 2.6, 3.5, 2.5, 5.2, 4.0, 2.7, 4.3, 3.2)
"""How much each degree belongs to a key: I. Sha'ath, Estimation of Key in Digital Music Recordings (2011), for DJs."""
_SEMITONES = 12
_SILENT = 1e-6
_LEAST_CORRELATION = 0.45
_LEAST_CONTRAST = 0.12
"""Of pitch classes, as deviation over mean: noise has less than 0.03, music with drums over it 0.3 and more."""
_CLEAR_LEAD = 0.15
"""A lead over the next key, in correlation, at which there is no doubt left."""


def chroma_of(signal: Signal) -> Floats:
    """Pitch classes from C on over time, (times, 12), CHROMA_HZ a second; signals shorter than a second give none."""
    if len(signal) < RATE_HZ:
        return np.zeros((1, 12))
    chroma = librosa.feature.chroma_cqt(
        y=signal,
        sr=RATE_HZ,
        hop_length=CHROMA_HOP_FRAMES,
        fmin=_LOWEST_NOTE_HZ,
        n_octaves=_OCTAVES,
        tuning=_tuning(signal),
        norm=None,
    )
    return np.asarray(chroma.T, np.float64)


def find_key(chroma: Floats) -> MusicalKey | None:
    """The key whose profile is most like the chroma, or None if none is."""
    shares = _shares(chroma)
    if shares is None or shares.std() < _LEAST_CONTRAST * shares.mean():
        return None
    likeness = np.array([_likeness(shares, profile, tonic) for profile in _profiles() for tonic in range(_SEMITONES)])
    second, best = np.argsort(likeness)[-2:]
    if likeness[best] < _LEAST_CORRELATION:
        return None
    confidence = min((likeness[best] - likeness[second]) / _CLEAR_LEAD, 1.0) * likeness[best]
    key = Key(int(best) % _SEMITONES, is_minor=bool(best >= _SEMITONES))
    return MusicalKey(key.name, key.camelot, float(confidence))


def _tuning(signal: Signal) -> float:
    """In parts of a semitone, as the louder half of all partials is."""
    middle, half = len(signal) // 2, _TUNED_BY_S * RATE_HZ // 2
    pitches_hz, magnitudes = librosa.piptrack(y=signal[max(middle - half, 0) : middle + half], sr=RATE_HZ)
    heard = pitches_hz > 0
    if not heard.any():
        return 0.0
    loud = heard & (magnitudes >= np.median(magnitudes[heard]))
    return float(librosa.pitch_tuning(pitches_hz[loud]))


def _shares(chroma: Floats) -> Floats | None:
    """Of each pitch class, every moment counting by the root of its loudness."""
    loudness = chroma.sum(axis=1, keepdims=True)
    heard = loudness[:, 0] > _SILENT
    if not heard.any():
        return None
    shares: Floats = (chroma[heard] / np.sqrt(loudness[heard])).sum(axis=0)
    return shares


def _profiles() -> tuple[Floats, Floats]:
    return np.array(_MAJOR_PROFILE), np.array(_MINOR_PROFILE)


def _likeness(shares: Floats, profile: Floats, tonic: int) -> float:
    """Pearson's correlation."""
    return float(np.corrcoef(shares, np.roll(profile, tonic))[0, 1])
