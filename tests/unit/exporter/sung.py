"""Voices that are known: when they begin, and what they sing."""

import numpy as np
import numpy.typing as npt

from tests.rendered_sounds import hat, voice

RATE_HZ = 44_100
NOTES = ((0.3, 57, "A3"), (0.8, 61, "Db4"), (1.2, 64, "E4"), (2.4, 52, "E3"), (2.9, 69, "A4"))
"""When a syllable begins, its MIDI note, and the name of that."""

Samples = npt.NDArray[np.float32]


def sung() -> Samples:
    """Two phrases of syllables in stereo: each a consonant and a vowel of 0.35 s; four seconds in all."""
    random = np.random.default_rng(5)
    mono = np.zeros(4 * RATE_HZ, dtype=np.float32)
    for start_s, note, _ in NOTES:
        start = round(start_s * RATE_HZ)
        consonant, vowel = hat(RATE_HZ, random)[:1500], voice(note, 0.35, RATE_HZ, random)
        mono[start : start + len(vowel)] += 0.6 * vowel
        mono[start : start + len(consonant)] += 0.5 * consonant
    return np.stack([mono, 0.9 * mono], axis=1)


def placed(sounds: dict[float, Samples], duration_s: float) -> Samples:
    """Sounds at their times in seconds, in mono of shape (frames, 1)."""
    samples = np.zeros((round(duration_s * RATE_HZ), 1), dtype=np.float32)
    for start_s, sound in sounds.items():
        start = round(start_s * RATE_HZ)
        samples[start : start + len(sound), 0] += sound[: len(samples) - start]
    return samples
