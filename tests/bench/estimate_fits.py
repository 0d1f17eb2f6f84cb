"""Linear fits of SI-SDR over signals, and how good they are on songs that they have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from services.separator.core.calibrations import AMB, LEAST_SIGNAL_DB, REMIX
from tests.bench.estimate_material import Chunk

THRESHOLD_DB = 7.0
SIGNALS: tuple[tuple[str, ...], ...] = ((AMB,), (REMIX,), (AMB, REMIX))

_Floats = npt.NDArray[np.float64]
_VALUE_OF: dict[str, Callable[[Chunk], float]] = {
    AMB: lambda chunk: max(chunk.amb_db, LEAST_SIGNAL_DB),
    REMIX: lambda chunk: max(chunk.remix_db, LEAST_SIGNAL_DB),
}


@dataclass(frozen=True)
class Findings:
    """Of fits that have not seen the song they are asked about: estimates by chunk, and what they are worth."""

    estimates_db: _Floats
    spearman: float
    mean_abs_error_db: float
    balanced_accuracy: float


def fitted(chunks: Sequence[Chunk], signals: Sequence[str]) -> tuple[dict[str, float], float]:
    """Weights and intercept of the least squares."""
    *weights, intercept_db = (float(value) for value in _solved(_matrix(chunks, signals), _truth(chunks)))
    return dict(zip(signals, weights, strict=True)), intercept_db


def left_out(chunks: Sequence[Chunk], signals: Sequence[str]) -> Findings:
    """Every voice estimated by the fit of all others."""
    truth, matrix = _truth(chunks), _matrix(chunks, signals)
    voices = np.array([chunk.voice for chunk in chunks])
    estimates_db = np.zeros(len(chunks))
    for voice in set(voices):
        is_out = voices == voice
        estimates_db[is_out] = matrix[is_out] @ _solved(matrix[~is_out], truth[~is_out])
    return findings(chunks, estimates_db)


def findings(chunks: Sequence[Chunk], estimates_db: _Floats) -> Findings:
    """What estimates are worth."""
    truth = _truth(chunks)
    is_good, is_called_good = truth >= THRESHOLD_DB, estimates_db >= THRESHOLD_DB
    hits = [float(np.mean(is_called_good[is_good])), float(np.mean(~is_called_good[~is_good]))]
    return Findings(
        estimates_db,
        float(spearmanr(truth, estimates_db).statistic),
        float(np.mean(np.abs(truth - estimates_db))),
        float(np.mean(hits)),
    )


def good_share(chunks: Sequence[Chunk]) -> float:
    """Of chunks at or above the threshold."""
    return float(np.mean(_truth(chunks) >= THRESHOLD_DB))


def seen_range_db(chunks: Sequence[Chunk], signal: str) -> tuple[float, float]:
    """What values a signal has had, in the sense of the fits."""
    values = [_VALUE_OF[signal](chunk) for chunk in chunks]
    return min(values), max(values)


def _truth(chunks: Sequence[Chunk]) -> _Floats:
    return np.array([chunk.si_sdr_db for chunk in chunks])


def _matrix(chunks: Sequence[Chunk], signals: Sequence[str]) -> _Floats:
    return np.array([[*(_VALUE_OF[signal](chunk) for signal in signals), 1.0] for chunk in chunks])


def _solved(matrix: _Floats, truth: _Floats) -> _Floats:
    solution: _Floats = np.linalg.lstsq(matrix, truth)[0].astype(np.float64)
    return solution
