"""Samples from the store's grid to a file's, exactly where the file can hold them.

A *unit* is one step of 24-bit PCM: 2**-23 of full scale. Stored samples are `gain * source` with a power of two, so
on the source's scale every sample is an integer number of units, and all arithmetic on it is exact.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from services.exporter.core.ports import GridBlock, SampleBlock
from stemhouse.delivery import SampleFormat
from stemhouse.errors import InternalFault, InvalidRequest

UNITS_FULL_SCALE = 2**23

_LARGEST_UNITS = {
    SampleFormat.PCM16: 32_767 * 256 + 127,  # rounds to 32767
    SampleFormat.PCM24: UNITS_FULL_SCALE - 1,
}
_LARGEST_SHIFT = 32
"""Leaves room in 64 bits for 24 bits and a difference."""

UnitBlock = npt.NDArray[np.int64]
"""Units on the source's scale, shape (frames, channels); may exceed full scale."""


def shift_from_gain(gain: float) -> int:
    """How many doublings undo a gain of 1, 1/2, 1/4 ...; raises InvalidRequest for any other gain."""
    mantissa, exponent = math.frexp(gain)
    if mantissa != 0.5 or not 0 <= 1 - exponent <= _LARGEST_SHIFT:  # noqa: PLR2004 # what frexp gives for powers of two
        message = f"a stored gain must be a power of two, at most 1, not {gain}"
        raise InvalidRequest(message, {"gain": message})
    return 1 - exponent


def units_from_peak(peak: float, stored_gain: float) -> int:
    """A bound in units for what is computed from stored samples whose peak on the source's scale was `peak`.

    The store rounds to its own grid, so a sample may have grown by half a step of that, also where it is subtracted.
    Raises InvalidRequest for a peak that is not finite, or negative.
    """
    if not 0.0 <= peak < math.inf:
        message = f"a peak must be finite and not negative, not {peak}"
        raise InvalidRequest(message, {"peak": message})
    step = 1 << shift_from_gain(stored_gain)
    return math.ceil(peak * UNITS_FULL_SCALE / step) * step + step - 1


def gain_to_fit(peaks_units: Iterable[int], sample_format: SampleFormat) -> float:
    """1.0 if all peaks fit the format (always, as float), else the one gain that brings the largest just inside."""
    largest = _LARGEST_UNITS.get(sample_format)
    highest = max(peaks_units, default=0)
    return 1.0 if largest is None or highest <= largest else largest / highest


def on_source_scale(blocks: Iterable[GridBlock], stored_gain: float) -> Iterator[UnitBlock]:
    """Stored blocks with their gain undone, exactly."""
    shift = shift_from_gain(stored_gain)
    for block in blocks:
        yield block.astype(np.int64) << shift


def difference(minuends: Iterable[UnitBlock], subtrahends: Iterable[UnitBlock]) -> Iterator[UnitBlock]:
    """One stream less the other, exactly; raises ValueError if they are not equally long."""
    for minuend, subtrahend in zip(minuends, subtrahends, strict=True):
        yield minuend - subtrahend


def in_format(blocks: Iterable[UnitBlock], gain: float, sample_format: SampleFormat) -> Iterator[SampleBlock]:
    """Samples of a file: `gain` times the source's.

    24 bits at gain 1 are the units themselves. 16 bits are rounded to the nearest, halves to even, without dither:
    the error stays below half a step and equal input gives equal files. Float is exact while the sample has no more
    than 24 significant bits. Raises InternalFault for a sample that does not fit, since the peaks foretold otherwise.
    """
    for block in blocks:
        yield _format_block(block, gain, sample_format)


def _format_block(block: UnitBlock, gain: float, sample_format: SampleFormat) -> SampleBlock:
    if sample_format is SampleFormat.FLOAT32:
        return (block * (gain / UNITS_FULL_SCALE)).astype(np.float32)
    bits = int(sample_format.value)
    scale = gain * 2.0 ** (bits - 24)
    samples = block if scale == 1.0 else np.rint(block * scale).astype(np.int64)
    _require_bits(samples, bits)
    return samples.astype(np.int32)


def _require_bits(samples: UnitBlock, bits: int) -> None:
    full_scale = 1 << (bits - 1)
    if samples.max() >= full_scale or samples.min() < -full_scale:
        message = "a stored sample is larger than the peak that the result names"
        raise InternalFault(message)
