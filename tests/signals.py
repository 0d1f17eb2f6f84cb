"""Synthetic audio: deterministic, finite, float32 (channels, frames)."""

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]


def noise(frame_count: int, channel_count: int = 2, peak: float = 0.5, seed: int = 1) -> Audio:
    """White noise, uniform within +-`peak`."""
    generator = np.random.default_rng(seed)
    return generator.uniform(-peak, peak, (channel_count, frame_count)).astype(np.float32)


def sine(frequency_hz: float, frame_count: int, sample_rate_hz: int, peak: float = 0.5) -> Audio:
    """A mono sine that begins at zero."""
    time_s = np.arange(frame_count) / sample_rate_hz
    return (peak * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)[np.newaxis]


def song(frame_count: int, sample_rate_hz: int, channel_count: int = 2, seed: int = 7) -> Audio:
    """A stand-in for music: a kick on each half second, a bass line, a chord and a breathy tone, within +-0.9."""
    time_s = np.arange(frame_count) / sample_rate_hz
    beat_s = time_s % 0.5
    kick = np.sin(2 * np.pi * 55 * beat_s) * np.exp(-beat_s * 18)
    bass = 0.5 * np.sin(2 * np.pi * 82.4 * time_s)
    chord = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in (261.6, 329.6, 392.0))
    breath = np.random.default_rng(seed).standard_normal(frame_count) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * time_s))
    mixture = 0.8 * kick + bass + 0.2 * chord + 0.05 * breath
    spread = np.linspace(0.8, 1.0, channel_count)[:, np.newaxis]
    loud: Audio = (spread * mixture * (0.9 / np.max(np.abs(mixture)))).astype(np.float32)
    return loud
