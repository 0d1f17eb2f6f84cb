"""Samples between the store's grid and a file's."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from services.exporter.core.samples import (
    difference,
    gain_to_fit,
    in_format,
    on_source_scale,
    shift_from_gain,
    units_from_peak,
)
from stemhouse.delivery import SampleFormat
from stemhouse.errors import InternalFault, InvalidRequest
from tests.unit.exporter.results import FULL_SCALE

EXTREMES = np.array([[0, 1], [-1, 127], [128, 129], [384, -384], [FULL_SCALE - 1, -FULL_SCALE]])


def formatted(units: list[int], gain: float, sample_format: SampleFormat) -> list[float]:
    """One channel of samples."""
    (block,) = in_format([np.array(units, np.int64)[:, np.newaxis]], gain, sample_format)
    return [float(sample) for sample in block[:, 0]]


@pytest.mark.parametrize(("gain", "shift"), [(1.0, 0), (0.5, 1), (0.25, 2), (2.0**-32, 32)])
def test_gain_is_undone_exactly(gain: float, shift: int) -> None:
    """By shifting, over more than 32 bits."""
    (block,) = on_source_scale([EXTREMES.astype(np.int32)], gain)
    assert shift_from_gain(gain) == shift
    assert (block == EXTREMES * 2**shift).all()


@pytest.mark.parametrize("gain", [0.0, -1.0, 0.75, 2.0, 2.0**-33, math.nan, math.inf])
def test_gain_that_no_store_has_is_refused(gain: float) -> None:
    """Only powers of two can be undone exactly."""
    with pytest.raises(InvalidRequest):
        shift_from_gain(gain)


def test_24_bits_at_gain_one_are_the_stored_integers() -> None:
    """Also at the ends of the range."""
    (block,) = in_format(on_source_scale([EXTREMES.astype(np.int32)], 1.0), 1.0, SampleFormat.PCM24)
    assert block.dtype == np.int32
    assert (block == EXTREMES).all()


def test_16_bits_are_rounded_to_nearest() -> None:
    """Halves go to the even neighbour; what was 16 bits comes back as it was."""
    units = [127, 128, 129, 384, -128, -384, 256 * 32767, -256 * 32768, 256 * 32767 + 127]
    assert formatted(units, 1.0, SampleFormat.PCM16) == [0, 0, 1, 2, 0, -2, 32767, -32768, 32767]


def test_float_is_the_source_scale_and_may_exceed_one() -> None:
    """Exactly, for every 24-bit integer and its doublings."""
    units = [1, -1, FULL_SCALE, 3 * FULL_SCALE, 2 * (FULL_SCALE - 1), -8_388_607]
    assert formatted(units, 1.0, SampleFormat.FLOAT32) == [unit / FULL_SCALE for unit in units]


@pytest.mark.parametrize("sample_format", [SampleFormat.PCM16, SampleFormat.PCM24])
@pytest.mark.parametrize("rounded", [math.floor, math.ceil])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("stored_gain", [1.0, 0.5, 0.125])
@pytest.mark.parametrize("peak", [0.3, 0.99999, 1.0, 1.0000001, 1.5, math.pi, 7.999])
def test_what_the_peak_allows_fits(
    peak: float, stored_gain: float, sign: int, rounded: Callable[[float], int], sample_format: SampleFormat
) -> None:
    """The gain is 1 or just under 1 / peak, and nothing clips, wherever the store has rounded to."""
    stored = sign * min(rounded(peak * stored_gain * FULL_SCALE), FULL_SCALE - (sign > 0))
    gain = gain_to_fit([units_from_peak(peak, stored_gain)], sample_format)
    (sample,) = formatted([stored << shift_from_gain(stored_gain)], gain, sample_format)
    full_scale = 2 ** (int(sample_format.value) - 1)
    assert abs(sample) < full_scale
    if peak > 1.0:
        assert gain == pytest.approx(1 / peak, rel=1e-4)
    elif peak < 0.999:
        assert gain == 1.0


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_instrumental_of_a_lowered_set_fits(shift: int) -> None:
    """The stored vocals are rounded to a coarser grid than the mix, which may raise mix - vocals by half a step."""
    step = 1 << shift
    mix, vocals = step // 2 - FULL_SCALE, 5 * step + step // 2
    exact_peak = (vocals - mix) / FULL_SCALE
    units = np.array([[mix - 6 * step]])
    assert np.max(np.abs(units)) > exact_peak * FULL_SCALE
    gain = gain_to_fit([units_from_peak(exact_peak, 1 / step)], SampleFormat.PCM24)
    (samples,) = in_format([units], gain, SampleFormat.PCM24)
    assert np.max(np.abs(samples)) <= FULL_SCALE - 1


def test_largest_peak_decides_for_all() -> None:
    """One gain for the set; float needs none."""
    peaks = [100, 3 * FULL_SCALE, FULL_SCALE]
    assert gain_to_fit(peaks, SampleFormat.PCM24) == (FULL_SCALE - 1) / (3 * FULL_SCALE)
    assert gain_to_fit(peaks, SampleFormat.FLOAT32) == 1.0
    assert gain_to_fit([FULL_SCALE - 1], SampleFormat.PCM24) == 1.0
    assert gain_to_fit([FULL_SCALE], SampleFormat.PCM24) < 1.0
    assert gain_to_fit([], SampleFormat.PCM24) == 1.0


@pytest.mark.parametrize("peak", [math.nan, math.inf, -0.5])
def test_peak_that_cannot_be_is_refused(peak: float) -> None:
    """No gain can be computed from it."""
    with pytest.raises(InvalidRequest):
        units_from_peak(peak, 1.0)


@pytest.mark.parametrize(
    ("unit", "sample_format"),
    [
        (FULL_SCALE, SampleFormat.PCM24),
        (-FULL_SCALE - 1, SampleFormat.PCM24),
        (FULL_SCALE - 1, SampleFormat.PCM16),
    ],
)
def test_sample_above_the_foretold_peak_is_a_fault(unit: int, sample_format: SampleFormat) -> None:
    """Never a wrapped or silently clipped sample."""
    with pytest.raises(InternalFault):
        formatted([0, unit], 1.0, sample_format)


def test_difference_is_exact() -> None:
    """Beyond 24 bits too; streams of unequal length are an error."""
    mix, vocals = EXTREMES << 3, EXTREMES[::-1] << 1
    (block,) = difference([mix], [vocals])
    assert (block == mix - vocals).all()
    with pytest.raises(ValueError, match="shorter"):
        list(difference([mix, mix], [vocals]))
