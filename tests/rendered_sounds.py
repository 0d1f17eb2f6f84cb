"""Sounds of drums and instruments for rendered tracks: mono, float32 (frames,); each begins with its attack."""

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

Samples = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]

_VOWELS_HZ = ((730, 1090, 2440), (530, 1840, 2480), (300, 870, 2240), (570, 840, 2410))


def kick(rate_hz: int, random: np.random.Generator) -> Samples:
    """A sine that falls to 42 to 60 Hz, with more or less of a click."""
    time_s = _times_s(0.3, rate_hz)
    low_hz, high_hz, fall = random.uniform(42, 60), random.uniform(90, 350), random.uniform(25, 70)
    phase = 2 * np.pi * (low_hz * time_s + (high_hz / fall) * (1 - np.exp(-fall * time_s)))
    body = np.sin(phase) * np.exp(-time_s * random.uniform(9, 22))
    click = random.normal(0, random.uniform(0.02, 0.3), len(time_s)) * np.exp(-time_s * 400)
    return _soft((body + click), random.uniform(0.0, 0.002), rate_hz)


def snare(rate_hz: int, random: np.random.Generator) -> Samples:
    """Noise over a tone of 160 to 240 Hz."""
    time_s = _times_s(0.25, rate_hz)
    tone = np.sin(2 * np.pi * random.uniform(160, 240) * time_s) * np.exp(-time_s * 30)
    rattle = _filtered(random.normal(0, 0.5, len(time_s)), random.uniform(800, 2000), "highpass", rate_hz)
    return _soft(0.5 * tone + rattle * np.exp(-time_s * random.uniform(15, 35)), random.uniform(0.0, 0.002), rate_hz)


def hat(rate_hz: int, random: np.random.Generator) -> Samples:
    """High noise, short or open."""
    time_s = _times_s(0.12, rate_hz)
    hiss = _filtered(random.normal(0, 0.6, len(time_s)), random.uniform(5000, 8000), "highpass", rate_hz)
    return _soft(hiss * np.exp(-time_s * random.uniform(25, 90)), random.uniform(0.0, 0.001), rate_hz)


def pad(notes: list[int], length_s: float, rate_hz: int, brightness: float, random: np.random.Generator) -> Samples:
    """Detuned partials, swelling within some 50 ms; `brightness` is how much of a partial the next one has."""
    time_s = _times_s(length_s, rate_hz)
    sound = np.zeros(len(time_s))
    for note in notes:
        for partial in range(1, 6):
            hertz = _hertz(note) * partial * (1 + random.normal(0, 0.0008))
            sound += brightness ** (partial - 1) * np.sin(2 * np.pi * hertz * time_s + random.uniform(0, 6.28))
    return _soft(sound * _release(time_s, length_s) / len(notes), 0.05, rate_hz)


def bass_note(note: int, length_s: float, rate_hz: int, random: np.random.Generator) -> Samples:
    """A plucked low note with some partials."""
    time_s = _times_s(length_s, rate_hz)
    drive = random.uniform(1.0, 3.0)
    sound = np.tanh(drive * np.sin(2 * np.pi * _hertz(note) * time_s)) * np.exp(-time_s * 3)
    return _soft(sound * _release(time_s, length_s), random.uniform(0.002, 0.008), rate_hz)


def voice(note: int, length_s: float, rate_hz: int, random: np.random.Generator) -> Samples:
    """A pulse with vibrato through the formants of a vowel, and some breath."""
    time_s = _times_s(length_s, rate_hz)
    vibrato = 0.006 * np.sin(2 * np.pi * random.uniform(4.5, 6.5) * time_s)
    phase = 2 * np.pi * np.cumsum(_hertz(note) * (1 + vibrato)) / rate_hz
    source = np.tanh(4 * (np.sin(phase) + 0.5 * np.sin(2 * phase))) + random.normal(0, 0.1, len(time_s))
    sound = np.zeros(len(time_s))
    for formant_hz in _VOWELS_HZ[random.integers(len(_VOWELS_HZ))]:
        sound += _resonated(source, formant_hz, rate_hz)
    return _soft(0.5 * sound * _release(time_s, length_s) / (1e-9 + np.max(np.abs(sound))), 0.03, rate_hz)


def room(dry: Samples, rate_hz: int, wetness: float, random: np.random.Generator) -> Samples:
    """With a decaying diffuse tail from 10 ms on."""
    time_s = _times_s(random.uniform(0.3, 1.2), rate_hz)
    tail = random.normal(0, 1, len(time_s)) * np.exp(-5 * time_s / time_s[-1]) * (time_s > 0.01)
    tail /= np.sqrt(np.sum(tail**2))
    sound: Samples = (dry + wetness * fftconvolve(dry, tail)[: len(dry)]).astype(np.float32)
    return sound


def _times_s(length_s: float, rate_hz: int) -> _Floats:
    return np.arange(max(round(length_s * rate_hz), 8)) / rate_hz


def _hertz(note: int) -> float:
    """Of a MIDI note."""
    return float(440.0 * 2.0 ** ((note - 69) / 12))


def _release(time_s: _Floats, length_s: float) -> _Floats:
    return np.clip((length_s - time_s) / 0.02, 0.0, 1.0)


def _soft(sound: _Floats, attack_s: float, rate_hz: int) -> Samples:
    """With a linear attack."""
    rise = np.arange(1, len(sound) + 1) / max(attack_s * rate_hz, 1.0)
    return (sound * np.minimum(rise, 1.0)).astype(np.float32)


def _filtered(sound: _Floats, corner_hz: float, kind: str, rate_hz: int) -> _Floats:
    filtered: _Floats = sosfilt(butter(2, corner_hz, kind, fs=rate_hz, output="sos"), sound)
    return filtered


def _resonated(sound: _Floats, centre_hz: float, rate_hz: int) -> _Floats:
    """Through one formant, 100 Hz wide."""
    radius = np.exp(-np.pi * 100 / rate_hz)
    poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre_hz / rate_hz), radius**2]
    resonance: _Floats = lfilter([1 - radius], poles, sound)
    return resonance
