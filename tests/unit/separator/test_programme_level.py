"""The running level of a programme."""

import numpy as np
import pytest

from services.separator.core.programme_level import ProgrammeLevel


def _gain_db(*mean_squares: float) -> float:
    level = ProgrammeLevel()
    for value in mean_squares:
        level.hear(np.array([value]))
    return float(20 * np.log10(level.gain_to(-14.0)))


def test_gain_reaches_the_target() -> None:
    """A steady programme at -20 dB needs 6 dB to get to -14 dB."""
    assert _gain_db(0.01, 0.01) == pytest.approx(6.0)


def test_silence_does_not_count() -> None:
    """A pause before the music leaves the level of the music as it is."""
    assert _gain_db(0.0, 0.0, 0.0, 0.01) == pytest.approx(_gain_db(0.01))


def test_loud_parts_decide() -> None:
    """A quiet half changes the level by much less than the 3 dB of an RMS."""
    assert abs(_gain_db(0.01, 0.0001) - _gain_db(0.01)) < 0.1


def test_silent_programme_is_left_alone() -> None:
    """With nothing heard, or only silence, the gain is 1."""
    assert ProgrammeLevel().gain_to(-14.0) == 1.0
    assert _gain_db(0.0) == 0.0
