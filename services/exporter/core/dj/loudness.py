"""How loud a track is, and what players are told to add so that all are alike.

ITU-R BS.1770-4: two filters, the power of blocks of 400 ms, and two gates. ReplayGain 2.0 sets the level.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.signal import sosfilt

from services.exporter.core.production.ports import FloatBlock

REFERENCE_LUFS = -18.0
"""The level to which ReplayGain 2.0 brings a track."""

_SHELF_HZ, _SHELF_DB, _SHELF_Q, _SHELF_BAND = 1681.974450955533, 3.999843853973347, 0.7071752369554196, 0.499666774155
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773
"""From these come the standard's coefficients at 48 kHz, and the same filters at other rates."""
_OFFSET_LU = -0.691
_SILENT_LUFS, _QUIET_LU = -70.0, -10.0
_HOPS_PER_S, _HOPS_PER_BLOCK = 10, 4

Floats = npt.NDArray[np.float64]


def replay_gain_db(blocks: Iterable[FloatBlock], sample_rate_hz: int) -> float | None:
    """The gain that brings a track to the reference, to a hundredth; None for one that is silent, or too short."""
    loudness = loudness_lufs(blocks, sample_rate_hz)
    return None if loudness is None else round(REFERENCE_LUFS - loudness, 2)


def loudness_lufs(blocks: Iterable[FloatBlock], sample_rate_hz: int) -> float | None:
    """Integrated loudness; None if no block of 400 ms is above -70 LUFS. Ten figures a second are held in memory."""
    powers = _block_powers(_hop_energies(blocks, sample_rate_hz), sample_rate_hz // _HOPS_PER_S)
    heard = powers[powers > _power(_SILENT_LUFS)]
    if not len(heard):
        return None
    gate = _power(_lufs(float(heard.mean())) + _QUIET_LU)
    return _lufs(float(heard[heard > gate].mean()))


def _hop_energies(blocks: Iterable[FloatBlock], sample_rate_hz: int) -> Floats:
    """The energy of all channels in each whole tenth of a second, after both filters."""
    filters = np.stack([_shelf(sample_rate_hz), _high_pass(sample_rate_hz)])
    hop_frames = sample_rate_hz // _HOPS_PER_S
    state: Floats | None = None
    energies: list[Floats] = []
    rest = np.zeros(0)
    for block in blocks:
        state = np.zeros((len(filters), 2, block.shape[1])) if state is None else state
        filtered, state = sosfilt(filters, block.astype(np.float64), axis=0, zi=state)
        squares = np.concatenate([rest, np.sum(filtered**2, axis=1)])
        whole = len(squares) // hop_frames * hop_frames
        energies.append(squares[:whole].reshape(-1, hop_frames).sum(axis=1))
        rest = squares[whole:]
    return np.concatenate(energies) if energies else np.zeros(0)


def _block_powers(energies: Floats, hop_frames: int) -> Floats:
    if len(energies) < _HOPS_PER_BLOCK:
        return np.zeros(0)
    summed: Floats = np.convolve(energies, np.ones(_HOPS_PER_BLOCK), "valid") / (_HOPS_PER_BLOCK * hop_frames)
    return summed


def _lufs(power: float) -> float:
    return _OFFSET_LU + 10.0 * float(np.log10(power))


def _power(lufs: float) -> float:
    return float(10.0 ** ((lufs - _OFFSET_LU) / 10.0))


def _shelf(sample_rate_hz: int) -> Floats:
    """What a head adds: about 4 dB above 2 kHz; as a second-order section."""
    k = np.tan(np.pi * _SHELF_HZ / sample_rate_hz)
    high = 10.0 ** (_SHELF_DB / 20.0)
    band = high**_SHELF_BAND
    numerator = np.array([high + band * k / _SHELF_Q + k * k, 2 * (k * k - high), high - band * k / _SHELF_Q + k * k])
    return _section(numerator, k, _SHELF_Q)


def _high_pass(sample_rate_hz: int) -> Floats:
    """The numerator is the standard's own, which is not scaled."""
    k = np.tan(np.pi * _HIGH_PASS_HZ / sample_rate_hz)
    scale = 1 + k / _HIGH_PASS_Q + k * k
    return _section(np.array([1.0, -2.0, 1.0]) * scale, k, _HIGH_PASS_Q)


def _section(numerator: Floats, k: float, q: float) -> Floats:
    scale = 1 + k / q + k * k
    denominator = np.array([scale, 2 * (k * k - 1), 1 - k / q + k * k])
    section: Floats = np.concatenate([numerator, denominator]) / scale
    return section
