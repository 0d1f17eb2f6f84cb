"""Scores of a stem against its true stem: SI-SDR and SDR, exact, in one pass over streams of any length.

Conventions
-----------
SI-SDR is that of Le Roux et al., "SDR - half-baked or well done?" (arXiv 1811.02508): no mean is removed, and both
channels share one scale alpha, so that a panning error counts. SDR is 10 log10(|s|^2 / |s - e|^2) over the whole
stem and, unlike SI-SDR, counts a wrong level. Both are in dB, clamped to [-60, 60], never NaN. They are not the
median-of-seconds SDR of published tables and must not be compared with those.

Only true stems give a number here: without a reference nothing is guessed.
"""

import math
from collections.abc import Iterable

import numpy as np

from services.separator.core.ports import Block
from stemhouse.audio import StemQuality
from stemhouse.errors import InvalidRequest
from stemhouse.vocab import QualityStatus

REFERENCE_METHOD = "si-sdr-with-reference"

Comparison = Iterable[tuple[Block, Block]]
"""A stream of (reference, estimate), the two of a pair being of one shape."""

_LIMIT_DB = 60.0


class StemQualityAnalyzer:
    """Tells how close estimated stems are to the true ones."""

    def assess(self, stem: str, comparison: Comparison | None) -> StemQuality:
        """Score one stem; `comparison` is read once and None if there is no reference.

        Raises InvalidRequest if reference and estimate differ in shape.
        """
        if comparison is None:
            return StemQuality(stem, QualityStatus.NOT_APPLICABLE, note="no reference")
        products = _InnerProducts(stem)
        for reference, estimate in comparison:
            products.add(reference, estimate)
        if products.reference_energy == 0.0:
            return StemQuality(stem, QualityStatus.NOT_APPLICABLE, note="the reference is silent")
        return StemQuality(stem, QualityStatus.MEASURED, products.si_sdr_db(), products.sdr_db())


class _InnerProducts:
    """All that SI-SDR and SDR need to know of two signals, in float64."""

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self.reference_energy = 0.0
        self._estimate_energy = 0.0
        self._error_energy = 0.0
        self._correlation = 0.0

    def add(self, reference: Block, estimate: Block) -> None:
        """Take in one more pair of blocks."""
        if reference.shape != estimate.shape:
            message = f"the reference of {self._stem} differs in shape: {reference.shape} against {estimate.shape}"
            raise InvalidRequest(message, {"stem": self._stem})
        true = reference.astype(np.float64).ravel()
        estimated = estimate.astype(np.float64).ravel()
        error = true - estimated
        self.reference_energy += float(true @ true)
        self._estimate_energy += float(estimated @ estimated)
        self._error_energy += float(error @ error)
        self._correlation += float(true @ estimated)

    def si_sdr_db(self) -> float:
        """Projection of the estimate on the reference, against the rest of the estimate."""
        projected_energy = self._correlation**2 / self.reference_energy
        return _ratio_db(projected_energy, self._estimate_energy - projected_energy)

    def sdr_db(self) -> float:
        """Reference against error."""
        return _ratio_db(self.reference_energy, self._error_energy)


def _ratio_db(wanted_energy: float, unwanted_energy: float) -> float:
    """10 log10 of the ratio, clamped; no wanted energy is the floor, whatever the other."""
    if wanted_energy <= 0.0:
        return -_LIMIT_DB
    if unwanted_energy <= 0.0:
        return _LIMIT_DB
    return min(max(10 * (math.log10(wanted_energy) - math.log10(unwanted_energy)), -_LIMIT_DB), _LIMIT_DB)
