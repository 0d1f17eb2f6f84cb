"""Voices for rendered songs: a pulse through the formants of moving vowels, with consonants, vibrato and breath.

All sounds are float32 (2, frames) at `RATE_HZ`, deterministic by their generator.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

RATE_HZ = 44_100
Stereo = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]

_VOWELS = (
    ((730, 90, 1.0), (1090, 110, 0.5), (2440, 170, 0.25), (3400, 250, 0.12)),
    ((530, 80, 1.0), (1840, 100, 0.35), (2480, 170, 0.25), (3500, 250, 0.1)),
    ((300, 60, 1.0), (2240, 100, 0.25), (3000, 170, 0.2), (3700, 250, 0.1)),
    ((570, 80, 1.0), (840, 90, 0.6), (2410, 170, 0.12), (3300, 250, 0.06)),
    ((320, 60, 1.0), (870, 90, 0.4), (2240, 170, 0.1), (3200, 250, 0.05)),
)
"""Centre and width in Hz, and gain, of the formants of a, e, i, o, u."""

_DECAY = 0.9
_CONTROL_FRAMES = 64


@dataclass(frozen=True)
class Note:
    """A note of a score: begin and length in seconds, MIDI key, velocity from 0 to 1."""

    start_s: float
    length_s: float
    key: int
    velocity: float = 0.8


@dataclass(frozen=True)
class VoiceStyle:
    """How a voice sounds.

    `size` scales the formants (1.0 is a man, 1.2 a child), `vibrato` is in parts of the pitch, `breath` the share of
    noise, `take_count` how many times it is sung, `drive` what distorts it (0: nothing), `is_vocoded` gives it the
    pitches of a synthesizer, `wetness` is that of its room, `is_spoken` lets the pitch fall and wander as in rap.
    """

    size: float = 1.0
    vibrato: float = 0.012
    breath: float = 0.06
    take_count: int = 1
    drive: float = 0.0
    is_vocoded: bool = False
    wetness: float = 0.12
    is_spoken: bool = False


def sung(notes: Sequence[Note], frame_count: int, style: VoiceStyle, random: np.random.Generator) -> Stereo:
    """Sing the notes, one syllable each, with a peak of 0.5; takes beyond the first are panned to the sides."""
    voice = np.zeros((2, frame_count))
    for take in range(style.take_count):
        pan = 0.5 if take == 0 else 0.5 + 0.35 * (-1) ** take
        voice += np.array([[np.sqrt(1 - pan)], [np.sqrt(pan)]]) * _take(notes, frame_count, style, random)
    if style.drive:
        voice = np.tanh(style.drive * voice / (1e-9 + np.abs(voice).max()))
    wet = in_room(voice, style.wetness, random)
    sound: Stereo = (0.5 * wet / (1e-9 + np.abs(wet).max())).astype(np.float32)
    return sound


def in_room(dry: npt.NDArray[np.floating], wetness: float, random: np.random.Generator) -> _Floats:
    """With a decaying tail that differs on both sides."""
    time_s = np.arange(round(random.uniform(0.4, 1.6) * RATE_HZ)) / RATE_HZ
    tail = random.normal(0, 1, (2, len(time_s))) * np.exp(-6 * time_s / time_s[-1]) * (time_s > 0.012)
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    wet: _Floats = dry + wetness * fftconvolve(dry, tail, axes=1)[:, : dry.shape[1]]
    return wet


def _take(notes: Sequence[Note], frame_count: int, style: VoiceStyle, random: np.random.Generator) -> _Floats:
    pitch_hz, loudness, vowels = _melody(notes, frame_count, style, random)
    source = _synthesizer(notes, frame_count) if style.is_vocoded else _glottis(pitch_hz)
    source += style.breath * random.normal(0, 1, frame_count)
    mouth = sum(
        weight * _through_vowel(source, vowel, style.size) for vowel, weight in zip(_VOWELS, vowels, strict=True)
    )
    take: _Floats = loudness * mouth + _consonants(notes, frame_count, random)
    return take


def _melody(
    notes: Sequence[Note], frame_count: int, style: VoiceStyle, random: np.random.Generator
) -> tuple[_Floats, _Floats, _Floats]:
    """Pitch in Hz, loudness, and the weight of each vowel (5, frames)."""
    count = frame_count // _CONTROL_FRAMES + 2
    control_hz = RATE_HZ / _CONTROL_FRAMES
    keys, loudness, depth = np.full(count, float(notes[0].key)), np.zeros(count), np.zeros(count)
    vowels = np.zeros((len(_VOWELS), count))
    for note in notes:
        begin = max(round((note.start_s + random.normal(0, 0.01)) * control_hz), 0)
        end = min(begin + round(note.length_s * control_hz), count)
        at_s = np.arange(max(end - begin, 0)) / control_hz
        keys[begin:] = note.key
        if style.is_spoken:
            keys[begin:end] += random.normal(0, 1.5) - 5 * at_s / note.length_s
        loudness[begin:end] = note.velocity * (1 - 0.4 * at_s / note.length_s)
        depth[begin:end] = np.clip((at_s - 0.15) / 0.25, 0, 1)
        first, second = random.integers(0, len(_VOWELS), 2)
        turn = begin + int((end - begin) * random.uniform(0.3, 1.5))
        vowels[:, begin:] = 0.0
        vowels[first, begin:turn] = 1.0
        vowels[second, turn:] = 1.0
    drift = _smooth(random.normal(0, 1, count), 0.15)
    swing = np.sin(2 * np.pi * random.uniform(5, 6.3) * np.arange(count) / control_hz)
    bend = 0.12 * drift / drift.std() + 12 * np.log2(1 + style.vibrato * depth * swing)
    pitch_hz = 440 * 2 ** ((_smooth(keys, 0.03) + bend - 69) / 12)
    return (
        _spread(pitch_hz, frame_count),
        _spread(_smooth(loudness, 0.012), frame_count),
        np.array([_spread(_smooth(weight, 0.03), frame_count) for weight in vowels]),
    )


def _glottis(pitch_hz: _Floats) -> _Floats:
    """Harmonics that fall by a tenth each, as the closed sum of their series: hardly any are above 22 kHz."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    return _DECAY * np.sin(phase) / (1 - 2 * _DECAY * np.cos(phase) + _DECAY**2)


def _synthesizer(notes: Sequence[Note], frame_count: int) -> _Floats:
    """Saws of a chord on each note, what a vocoder speaks with."""
    time_s = np.arange(frame_count) / RATE_HZ
    source = np.zeros(frame_count)
    for note in notes:
        begin, end = round(note.start_s * RATE_HZ), round((note.start_s + note.length_s) * RATE_HZ)
        for key in (note.key - 12, note.key, note.key + 7):
            source[begin:end] += 2 * ((440 * 2 ** ((key - 69) / 12) * time_s[begin:end]) % 1.0) - 1
    return source


def _through_vowel(source: _Floats, vowel: tuple[tuple[int, int, float], ...], size: float) -> _Floats:
    formants = [gain * _resonated(source, size * hertz, width_hz) for hertz, width_hz, gain in vowel]
    mouth: _Floats = np.sum(formants, axis=0)
    return mouth


def _resonated(sound: _Floats, centre_hz: float, width_hz: float) -> _Floats:
    radius = np.exp(-np.pi * width_hz / RATE_HZ)
    poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre_hz / RATE_HZ), radius**2]
    resonance: _Floats = lfilter([(1 - radius) * np.sin(2 * np.pi * centre_hz / RATE_HZ)], poles, sound)
    return resonance


def _consonants(notes: Sequence[Note], frame_count: int, random: np.random.Generator) -> _Floats:
    """A burst or a hiss before two of three syllables."""
    sound = np.zeros(frame_count)
    for note in notes:
        if random.random() < 0.67:
            length_s = random.choice([0.02, 0.05, 0.09])
            hiss = random.normal(0, 1, round(length_s * RATE_HZ))
            band = butter(
                2, [random.uniform(1500, 5000), random.uniform(7000, 11_000)], "band", fs=RATE_HZ, output="sos"
            )
            hiss = sosfilt(band, hiss) * np.hanning(len(hiss))
            begin = max(round((note.start_s - 0.6 * length_s) * RATE_HZ), 0)
            end = min(begin + len(hiss), frame_count)
            sound[begin:end] += 0.12 * note.velocity * hiss[: max(end - begin, 0)]
    return sound


def _smooth(values: _Floats, time_s: float) -> _Floats:
    smoothed: _Floats = gaussian_filter1d(values, time_s * RATE_HZ / _CONTROL_FRAMES / 2, mode="nearest")
    return smoothed


def _spread(values: _Floats, frame_count: int) -> _Floats:
    """From one value each 64 frames to one each frame."""
    return np.interp(np.arange(frame_count) / _CONTROL_FRAMES, np.arange(len(values)), values)
