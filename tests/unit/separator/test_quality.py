"""SI-SDR and SDR against references."""

import numpy as np
import pytest
from mir_eval import separation

from services.separator.core.ports import Block
from services.separator.core.quality import StemQualityAnalyzer
from stemhouse.audio import StemQuality
from stemhouse.errors import InvalidRequest
from stemhouse.vocab import QualityStatus
from tests.signals import noise


def _assess(reference: Block, estimate: Block) -> StemQuality:
    return StemQualityAnalyzer().assess("vocals", [(reference, estimate)])


def _scores(reference: Block, estimate: Block) -> tuple[float, float]:
    quality = _assess(reference, estimate)
    assert quality.status == QualityStatus.MEASURED
    assert quality.si_sdr_db is not None
    assert quality.sdr_db is not None
    return quality.si_sdr_db, quality.sdr_db


def _orthogonal(reference: Block, other: Block) -> Block:
    """`other` without its part along `reference`, at the energy of `reference`."""
    along = np.sum(reference * other, dtype=np.float64) / np.sum(reference**2, dtype=np.float64)
    rest = other.astype(np.float64) - along * reference
    scale = np.sqrt(np.sum(reference**2, dtype=np.float64) / np.sum(rest**2))
    scaled: Block = (scale * rest).astype(np.float32)
    return scaled


@pytest.mark.parametrize("error_db", [-30.0, -7.0, 0.0, 10.0])
def test_scores_are_the_ratio_to_an_orthogonal_error(error_db: float) -> None:
    """Noise of a known level, orthogonal to the reference, gives exactly that ratio by both measures."""
    reference = noise(10_000, seed=1)
    error = _orthogonal(reference, noise(10_000, seed=2)) * np.float32(10 ** (error_db / 20))
    assert _scores(reference, reference + error) == pytest.approx((-error_db, -error_db), abs=1e-3)


@pytest.mark.parametrize("error_peak", [0.01, 0.3, 5.0])
def test_scores_are_those_of_mir_eval_and_of_least_squares(error_peak: float) -> None:
    """BSS Eval with filters of one tap, which is all that a scale is, and NumPy's own fit of one to the other.

    mir_eval warns of its public function, whose filters have 512 taps; below it the number of taps is an argument.
    """
    reference = noise(20_000, seed=1)
    estimate = np.float32(0.7) * reference + noise(20_000, peak=error_peak, seed=2)
    true, estimated = reference.astype(np.float64).ravel(), estimate.astype(np.float64).ravel()
    parts = separation._bss_decomp_mtifilt(true[np.newaxis], estimated, 0, 1)
    by_mir_eval = separation._bss_source_crit(*parts)[0]
    _, rest, *_ = np.linalg.lstsq(true[:, np.newaxis], estimated)
    by_least_squares = 10 * np.log10(np.sum(estimated**2) / rest[0] - 1)
    si_sdr_db, sdr_db = _scores(reference, estimate)
    assert si_sdr_db == pytest.approx(by_mir_eval, abs=1e-6) == pytest.approx(by_least_squares, abs=1e-6)
    assert sdr_db == pytest.approx(20 * np.log10(np.linalg.norm(true) / np.linalg.norm(true - estimated)), abs=1e-6)


def test_si_sdr_ignores_the_level_and_sdr_does_not() -> None:
    """Half the level leaves SI-SDR as it was, while the missing half is an error for SDR."""
    reference = noise(10_000, seed=1)
    estimate = reference + np.float32(0.1) * _orthogonal(reference, noise(10_000, seed=2))
    full, half = _scores(reference, estimate), _scores(reference, np.float32(0.5) * estimate)
    assert half[0] == pytest.approx(full[0], abs=1e-4) == pytest.approx(20.0, abs=1e-3)
    assert half[1] == pytest.approx(-10 * np.log10(0.25 + 0.0025), abs=1e-3)


def test_both_channels_share_one_scale() -> None:
    """A panning error counts: one channel right and one lost is a ratio of 1 for SI-SDR."""
    reference = np.repeat(noise(5000, channel_count=1), 2, axis=0)
    estimate = reference * np.array([[1.0], [0.0]], np.float32)
    assert _scores(reference, estimate)[0] == pytest.approx(0.0, abs=1e-6)


def test_no_mean_is_removed() -> None:
    """A constant offset is an error like any other."""
    reference = np.ones((1, 1000), np.float32)
    reference[:, ::2] = -1.0
    assert _scores(reference, reference + np.float32(0.1))[0] == pytest.approx(20.0, abs=1e-4)


def test_scores_do_not_depend_on_the_blocks() -> None:
    """One pass over small blocks equals one pass over all."""
    reference, estimate = noise(9999, seed=1), noise(9999, seed=2) + noise(9999, seed=1)
    cuts = range(441, 9999, 441)
    pairs = zip(np.split(reference, cuts, axis=1), np.split(estimate, cuts, axis=1), strict=True)
    quality = StemQualityAnalyzer().assess("bass", pairs)
    assert (quality.si_sdr_db, quality.sdr_db) == pytest.approx(_scores(reference, estimate), abs=1e-9)


@pytest.mark.parametrize("error_peak", [0.0, 1e-5])
def test_perfect_estimate_is_clamped(error_peak: float) -> None:
    """No error at all, or hardly any, is 60 dB, not infinity."""
    assert _scores(noise(1000), noise(1000) + noise(1000, peak=error_peak, seed=2)) == (60.0, 60.0)


def test_silent_estimate_is_the_floor() -> None:
    """A stem that came out empty, though there was one, is -60 dB by SI-SDR and 0 dB by SDR."""
    assert _scores(noise(1000), np.zeros((2, 1000), np.float32)) == (-60.0, 0.0)


def test_very_wrong_estimate_is_clamped() -> None:
    """An error ten thousand times the reference stays at -60 dB."""
    reference = noise(1000, peak=1e-4)
    error = _orthogonal(reference, noise(1000, seed=2)) * np.float32(1e4)
    assert _scores(reference, reference + error) == (-60.0, -60.0)


@pytest.mark.parametrize("estimate", [noise(1000), np.zeros((2, 1000), np.float32)])
def test_silent_reference_has_no_score(estimate: Block) -> None:
    """Where there is nothing to find, no number is given, and the note says why."""
    quality = _assess(np.zeros((2, 1000), np.float32), estimate)
    assert quality == StemQuality("vocals", QualityStatus.NOT_APPLICABLE, note="the reference is silent")


def test_without_a_reference_nothing_is_guessed() -> None:
    """No reference, no number."""
    quality = StemQualityAnalyzer().assess("other", None)
    assert quality == StemQuality("other", QualityStatus.NOT_APPLICABLE, note="no reference")


def test_different_shapes_are_refused() -> None:
    """A mono reference cannot judge a stereo stem."""
    with pytest.raises(InvalidRequest, match="vocals"):
        _assess(noise(10, channel_count=1), noise(10))
