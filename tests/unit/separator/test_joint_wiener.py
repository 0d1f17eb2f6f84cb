"""Masks of drums and bass from power alone."""

import numpy as np
import numpy.typing as npt
import pytest

from services.separator.core.joint_wiener import CONTEXT_COLUMNS, _median_in_rows, drums_and_bass

_BIN_WIDTH_HZ = 44_100 / 4096
_COLUMNS = 60
_BINS = 2049
_MIDDLE = _COLUMNS // 2

Power = npt.NDArray[np.float32]


def _noise_power(seed: int = 3) -> Power:
    generator = np.random.default_rng(seed)
    return generator.exponential(1.0, (_COLUMNS, _BINS)).astype(np.float32)


def _bin(frequency_hz: float) -> int:
    return round(frequency_hz / _BIN_WIDTH_HZ)


def _masks_at(power: Power, column: int, frequency_hz: float) -> tuple[float, float]:
    drums, bass = drums_and_bass(power, _BIN_WIDTH_HZ)
    place = column - CONTEXT_COLUMNS, _bin(frequency_hz)
    return float(drums[place]), float(bass[place])


def test_median_in_rows_is_the_median() -> None:
    """The filter of one long line equals the plain median of each window, and no row sees its neighbour."""
    rows = _noise_power()
    expected = np.median(np.lib.stride_tricks.sliding_window_view(rows, 17, axis=1), axis=2)
    assert np.array_equal(_median_in_rows(rows, 17), expected)


def test_masks_share_out_at_most_everything() -> None:
    """Both masks and what they leave lie within 0 and 1, for the inner columns only."""
    drums, bass = drums_and_bass(_noise_power(), _BIN_WIDTH_HZ)
    assert drums.shape == bass.shape == (_COLUMNS - 2 * CONTEXT_COLUMNS, _BINS)
    assert drums.dtype == bass.dtype == np.float32
    assert min(drums.min(), bass.min()) >= 0
    assert (drums + bass).max() <= 1 + 1e-6


@pytest.mark.parametrize(("frequency_hz", "bass_share"), [(80.0, 0.9), (220.0, 0.5), (1000.0, 0.0)])
def test_what_lasts_is_bass_or_other_by_its_frequency(frequency_hz: float, bass_share: float) -> None:
    """A steady tone is no drum; below 220 Hz it is bass, above it is not."""
    power = np.zeros((_COLUMNS, _BINS), np.float32)
    power[:, _bin(frequency_hz)] = 1.0
    drums, bass = _masks_at(power, _MIDDLE, frequency_hz)
    assert drums < 0.01
    assert bass == pytest.approx(bass_share, abs=0.1)


def test_what_strikes_is_drums() -> None:
    """A column of noise amid quiet belongs to the drums, low and high."""
    power = 1e-4 * _noise_power()
    power[_MIDDLE] *= 1e4
    assert all(_masks_at(power, _MIDDLE, hertz)[0] > 0.9 for hertz in (60.0, 2000.0, 12_000.0))


def test_bass_drum_is_drums_though_it_is_a_tone() -> None:
    """A 60 Hz tone of four columns is a bass drum; above the corner the same tone would be no drum."""
    power = np.zeros((_COLUMNS, _BINS), np.float32)
    power[:, _bin(60.0)] = power[:, _bin(3000.0)] = 0.01
    power[_MIDDLE : _MIDDLE + 4, _bin(60.0)] = power[_MIDDLE : _MIDDLE + 4, _bin(3000.0)] = 1.0
    assert _masks_at(power, _MIDDLE + 1, 60.0)[0] > 0.9
    assert _masks_at(power, _MIDDLE + 1, 3000.0)[0] < 0.1


@pytest.mark.parametrize("gain", [0.25, 1e-20, 1e10])
def test_masks_hold_for_every_gain(gain: float) -> None:
    """Masks are ratios: the power of a nearly silent file gives the same ones."""
    power = _noise_power()
    for mask, scaled in zip(
        drums_and_bass(power, _BIN_WIDTH_HZ), drums_and_bass(power * np.float32(gain), _BIN_WIDTH_HZ), strict=True
    ):
        assert np.max(np.abs(mask - scaled)) < 1e-5


def test_silence_gives_finite_masks() -> None:
    """Nothing divided by nothing is no drum, and no NaN."""
    drums, bass = drums_and_bass(np.zeros((_COLUMNS, _BINS), np.float32), _BIN_WIDTH_HZ)
    assert not drums.any()
    assert np.isfinite(bass).all()
