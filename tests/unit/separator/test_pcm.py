"""The 24-bit grid: exact powers of two, and a digest that depends on samples only."""

import numpy as np
import pytest

from services.separator.core.pcm import (
    FULL_SCALE,
    LARGEST,
    PcmDigest,
    block_from_pcm,
    fitting_gain,
    fitting_shift,
    lowered,
    pcm_from_source,
)
from stemhouse.audio import AudioFormat

STEREO = AudioFormat(44100, 2)


@pytest.mark.parametrize(
    ("peak", "gain"),
    [(0.0, 1.0), (0.5, 1.0), (LARGEST / FULL_SCALE, 1.0), (1.0, 0.5), (1.7, 0.5), (2.0, 0.25), (1 - 2**-24, 0.5)],
)
def test_gain_is_the_largest_power_of_two_that_fits(peak: float, gain: float) -> None:
    """Full scale itself does not fit, the last step below it does."""
    assert fitting_gain(peak) == gain


@pytest.mark.parametrize(
    ("lowest", "highest", "shift"),
    [(0, 0, 0), (-FULL_SCALE, LARGEST, 0), (0, FULL_SCALE, 1), (-FULL_SCALE - 1, 0, 1), (0, 2**24 - 1, 2)],
)
def test_shift_is_the_smallest_that_fits_after_rounding(lowest: int, highest: int, shift: int) -> None:
    """2**24 - 1 halved is rounded up to full scale, so it needs two."""
    assert fitting_shift(lowest, highest) == shift


def test_lowering_rounds_half_up() -> None:
    """Not toward zero, which would bend the wave at its zero."""
    assert lowered(np.array([[-3, -2, -1, 0, 1, 2, 3]], dtype=np.int32), 1).tolist() == [[-1, -1, 0, 0, 1, 1, 2]]


def test_samples_on_the_grid_survive_there_and_back() -> None:
    """Through float32 and any power of two."""
    grid = np.array([[-FULL_SCALE, -1, 0, 1, LARGEST]], dtype=np.int32)
    for gain in (1.0, 0.25):
        assert np.array_equal(pcm_from_source(block_from_pcm(grid, gain).astype(np.float64), gain), grid)


def test_top_half_step_of_32_bit_integers_is_kept_inside() -> None:
    """An integer source has gain 1, and its largest 32-bit sample rounds beyond 24 bits."""
    assert pcm_from_source(np.array([[1 - 2**-31]]), 1.0).tolist() == [[LARGEST]]


def test_digest_does_not_depend_on_blocks_but_on_samples_and_format() -> None:
    """Cut anywhere: the same. One step, another rate, other channels, another gain: not the same."""
    block = np.arange(-10, 10, dtype=np.int32).reshape(2, 10)
    whole, parts, louder, mono, changed = (
        PcmDigest(STEREO, 1.0),
        PcmDigest(STEREO, 1.0),
        PcmDigest(STEREO, 0.5),
        PcmDigest(AudioFormat(44100, 1), 1.0),
        PcmDigest(STEREO, 1.0),
    )
    for digest in (whole, louder, mono):
        digest.update(block)
    parts.update(block[:, :3])
    parts.update(block[:, 3:])
    block[1, 7] += 1
    changed.update(block)
    assert parts.hexdigest() == whole.hexdigest()
    assert len({each.hexdigest() for each in (whole, louder, mono, changed)}) == 4
