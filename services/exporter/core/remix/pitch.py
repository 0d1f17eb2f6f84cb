"""The pitch of a short sound, if it has a clear one.

By the normalised square difference of McLeod and Wyvill, "A smarter way to find pitch" (ICMC 2005): near 1 where a
signal repeats itself after a lag.
"""

from dataclasses import dataclass

import numpy as np

from services.exporter.core.analysis.signals import RATE_HZ, Floats, heard
from services.exporter.core.remix.ports import FloatBlock
from services.exporter.core.remix.sounding import in_mono

_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
"""No sharps: their sign begins a directive in SFZ."""
_A4_HZ, _A4_NOTE = 440.0, 69
_LOWEST_HZ, _HIGHEST_HZ = 65.0, 1000.0
_WINDOW_FRAMES, _HOP_FRAMES = 1024, 256
_CLEAR = 0.85
_NEARLY_HIGHEST = 0.93
"""Of two lags that fit about equally well the shorter one is the period."""
_LOUD_DB = 20.0
_CLEAR_SHARE = 0.5
_FUNDAMENTAL_FRAMES, _FUNDAMENTAL_DB, _OFF = 2048, 38.0, 0.06
"""What two voices repeat together lies below both, and nothing sounds there; of one voice the fundamental sounds."""
_STEADY_CENTS = 120.0
"""Between the quarters of all pitches that were found: vibrato stays within it, a slide does not."""
_FEWEST, _MOST = 4, 48
"""Windows: so many of a long sound tell as much as all."""


@dataclass(frozen=True)
class Pitch:
    """A note: its name (`A3`, `Db4`; C4 is middle C), MIDI number, and the frequency that was measured."""

    name: str
    midi_note: int
    frequency_hz: float

    @property
    def cents(self) -> float:
        """How far above the note it is."""
        return 100 * (_note(self.frequency_hz) - self.midi_note)


def clear_pitch(samples: FloatBlock, sample_rate_hz: int) -> Pitch | None:
    """Of samples (frames, channels); None for noises, chords, slides, and sounds that are too short."""
    mono = heard(in_mono(samples), sample_rate_hz).astype(np.float64)
    if len(mono) < _WINDOW_FRAMES + _FEWEST * _HOP_FRAMES:
        return None
    loud = _loud_windows(mono)
    found = np.array([hertz for hertz in map(_hertz, loud) if hertz])
    if len(found) < max(_FEWEST, _CLEAR_SHARE * len(loud)):
        return None
    low, middle, high = np.percentile(found, [25, 50, 75])
    is_clear = 1200 * np.log2(high / low) <= _STEADY_CENTS and _sounds_at(mono, middle)
    return _pitch(float(middle)) if is_clear else None


def _loud_windows(mono: Floats) -> list[Floats]:
    """All over the sound; views, so that they take no room."""
    sums = np.cumsum(np.append(0.0, np.square(mono)))
    starts = np.arange(0, len(mono) - _WINDOW_FRAMES + 1, _HOP_FRAMES)
    energy = sums[starts + _WINDOW_FRAMES] - sums[starts]
    loudest = energy.max()
    is_loud = energy > loudest * 10 ** (-_LOUD_DB / 10) if loudest > 0.0 else np.zeros(len(starts), dtype=bool)
    loud = starts[is_loud]
    chosen = np.linspace(0, len(loud) - 1, min(len(loud), _MOST)).round().astype(int)
    return [mono[start : start + _WINDOW_FRAMES] for start in loud[chosen]]


def _sounds_at(mono: Floats, frequency_hz: float) -> bool:
    """Whether a frequency is there, next to the strongest one."""
    shape, hertz = np.hanning(_FUNDAMENTAL_FRAMES), np.fft.rfftfreq(_FUNDAMENTAL_FRAMES, 1 / RATE_HZ)
    power = np.zeros(len(hertz))
    for start in range(0, len(mono) - _FUNDAMENTAL_FRAMES + 1, _FUNDAMENTAL_FRAMES // 2):
        power += np.abs(np.fft.rfft(shape * mono[start : start + _FUNDAMENTAL_FRAMES])) ** 2
    near = np.abs(hertz - frequency_hz) <= max(hertz[1], _OFF * frequency_hz)
    return bool(power[near].max() >= power.max() * 10 ** (-_FUNDAMENTAL_DB / 10))


def _pitch(frequency_hz: float) -> Pitch:
    note = round(_note(frequency_hz))
    return Pitch(f"{_NAMES[note % 12]}{note // 12 - 1}", note, frequency_hz)


def _note(frequency_hz: float) -> float:
    return _A4_NOTE + 12 * float(np.log2(frequency_hz / _A4_HZ))


def _hertz(window: Floats) -> float:
    """0 where nothing repeats clearly, or faster than a voice sings."""
    likeness = _likeness(window)
    longest = min(int(RATE_HZ / _LOWEST_HZ), len(likeness) - 2)
    inner = likeness[1 : longest + 1]
    is_peak = (inner >= likeness[:longest]) & (inner > likeness[2 : longest + 2])
    peaks = np.flatnonzero(is_peak) + 1
    if not len(peaks) or likeness[peaks].max() < _CLEAR:
        return 0.0
    lag = peaks[likeness[peaks] >= _NEARLY_HIGHEST * likeness[peaks].max()][0]
    if lag < int(RATE_HZ / _HIGHEST_HZ):
        return 0.0
    before, at, after = likeness[lag - 1 : lag + 2]
    curvature = before - 2 * at + after
    return RATE_HZ / float(lag + (0.5 * (before - after) / curvature if curvature < 0 else 0.0))


def _likeness(window: Floats) -> Floats:
    """2 r(lag) / m(lag), for lags up to half the window."""
    centred = window - window.mean()
    count = len(centred)
    spectrum = np.fft.rfft(centred, 2 * count)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: count // 2]
    squares = np.cumsum(np.append(0.0, np.square(centred)))
    lags = np.arange(count // 2)
    energies = squares[count - lags] + (squares[count] - squares[lags])
    likeness: Floats = 2 * correlation / np.maximum(energies, 1e-12)
    return likeness
