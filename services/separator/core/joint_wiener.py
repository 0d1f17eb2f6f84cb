"""Masks that share an accompaniment between drums, bass and the rest, from its power alone.

What lasts is told from what strikes by medians over time and over frequency (Fitzgerald, "Harmonic/percussive
separation using median filtering", DAFx 2010). Bass drums ring too long for that rule, so at the bottom whatever
rises above its own recent median is drums: worth 4.5 dB on the drums and 2.6 dB on the bass of the stempeg song.
What lasts is bass below a soft crossover and the rest above. Lengths and corners are those of the literature and of
common crossovers; a random search for better ones fitted three songs and lost 2 dB on a fourth.

The masks hold for every gain of the input, and sum to 1 with the rest.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy.ndimage

_Real = TypeVar("_Real", np.float32, np.float64)

Power = npt.NDArray[np.float32]
"""float32 (columns, bins), mean over the channels."""

Mask = npt.NDArray[np.float32]
"""float32 (columns, bins), within [0, 1]."""

_SUSTAIN_COLUMNS = 17  # 0.4 s
_STRIKE_BINS = 31  # 330 Hz
_KICK_COLUMNS = 9  # 0.2 s: a bass drum is over before it fills half of it
_KICK_CORNER_HZ = 160.0
_KICK_TOP_HZ = 1000.0  # above, the low-pass of the kick rule is below 1 in 1000
_BASS_CORNER_HZ = 220.0

CONTEXT_COLUMNS = _SUSTAIN_COLUMNS // 2
"""How many columns the medians look to either side."""


def drums_and_bass(power: Power, bin_width_hz: float) -> tuple[Mask, Mask]:
    """Masks of drums and bass for `power` without its first and last `CONTEXT_COLUMNS`; the rest is 1 - both."""
    frequency_hz = np.arange(power.shape[1], dtype=np.float32) * np.float32(bin_width_hz)
    drums = _share(_strikes(power), _sustain(power, _SUSTAIN_COLUMNS))
    _apply_kick_rule(drums, power, frequency_hz)
    bass = (1 - drums) * _low_pass(frequency_hz, _BASS_CORNER_HZ)
    return drums, bass


def _strikes(power: Power) -> Power:
    """Median of the inner columns over frequency, the spectrum mirrored at its ends."""
    reach = _STRIKE_BINS // 2
    mirrored = np.pad(power[CONTEXT_COLUMNS:-CONTEXT_COLUMNS], ((0, 0), (reach, reach)), mode="reflect")
    return _median_in_rows(mirrored, _STRIKE_BINS)


def _sustain(power: Power, length_columns: int) -> Power:
    """Median of the inner columns over time."""
    margin = CONTEXT_COLUMNS - length_columns // 2
    needed = power[margin : power.shape[0] - margin]
    return _median_in_rows(needed.T, length_columns).T


def _median_in_rows(rows: Power, length: int) -> Power:
    """Running median of an odd `length` along each row, as far as all of it lies inside: `length` - 1 values fewer.

    All rows go through as one line, because SciPy's filter of a line is ten times as fast as that of a plane; what
    mixes two rows is cut off.
    """
    reach = length // 2
    line = scipy.ndimage.median_filter(np.ascontiguousarray(rows).ravel(), size=length)
    medians: Power = line.reshape(rows.shape)[:, reach:-reach]
    return medians


def _apply_kick_rule(drums: Mask, power: Power, frequency_hz: npt.NDArray[np.float32]) -> None:
    """Towards the bottom, make drums of what rises above its median of 0.2 s."""
    low_bins = int(np.searchsorted(frequency_hz, _KICK_TOP_HZ))
    lasting = _sustain(power[:, :low_bins], _KICK_COLUMNS)
    rise = np.maximum(power[CONTEXT_COLUMNS:-CONTEXT_COLUMNS, :low_bins] - lasting, 0)
    kick = _share(np.square(rise, dtype=np.float64), np.square(lasting, dtype=np.float64))  # float32 would underflow
    weight = _low_pass(frequency_hz[:low_bins], _KICK_CORNER_HZ)
    drums[:, :low_bins] += weight * (kick.astype(np.float32) - drums[:, :low_bins])


def _share(wanted: npt.NDArray[_Real], unwanted: npt.NDArray[_Real]) -> npt.NDArray[_Real]:
    """Wiener's wanted / (wanted + unwanted); 0 where there is neither."""
    total = wanted + unwanted
    share: npt.NDArray[_Real] = np.divide(wanted, total, out=np.zeros_like(total), where=total > 0)
    return share


def _low_pass(frequency_hz: npt.NDArray[np.float32], corner_hz: float) -> npt.NDArray[np.float32]:
    """Power response of a second-order Butterworth low-pass."""
    response: npt.NDArray[np.float32] = np.float32(1) / (1 + np.square(np.square(frequency_hz / np.float32(corner_hz))))
    return response
