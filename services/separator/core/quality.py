"""Scores of a stem against its true stem: SI-SDR and SDR, exact, in one pass over streams of any length.

Conventions
-----------
SI-SDR is that of Le Roux et al., "SDR - half-baked or well done?" (arXiv 1811.02508): no mean is removed, and both
channels share one scale alpha, so that a panning error counts. SDR is 10 log10(|s|^2 / |s - e|^2) over the whole
stem and, unlike SI-SDR, counts a wrong level. Both are in dB, clamped to [-60, 60], never NaN. They are not the
median-of-seconds SDR of published tables and must not be compared with those.

Only true stems give a number here; what can be guessed without them is in `estimates`.
"""

from collections.abc import Iterable

from services.separator.core.ports import Block
from services.separator.core.ratios import InnerProducts
from stemhouse.audio import StemQuality
from stemhouse.errors import InvalidRequest
from stemhouse.vocab import QualityStatus

REFERENCE_METHOD = "si-sdr-with-reference"
NO_REFERENCE = "no reference"

Comparison = Iterable[tuple[Block, Block]]
"""A stream of (reference, estimate), the two of a pair being of one shape."""


class StemQualityAnalyzer:
    """Tells how close estimated stems are to the true ones."""

    def assess(self, stem: str, comparison: Comparison | None) -> StemQuality:
        """Score one stem; `comparison` is read once and None if there is no reference.

        Raises InvalidRequest if reference and estimate differ in shape.
        """
        if comparison is None:
            return StemQuality(stem, QualityStatus.NOT_APPLICABLE, note=NO_REFERENCE)
        products = InnerProducts()
        for reference, estimate in comparison:
            _require_one_shape(stem, reference, estimate)
            products.add(reference, estimate)
        if products.reference_energy == 0.0:
            return StemQuality(stem, QualityStatus.NOT_APPLICABLE, note="the reference is silent")
        return StemQuality(stem, QualityStatus.MEASURED, products.si_sdr_db(), products.sdr_db())


def _require_one_shape(stem: str, reference: Block, estimate: Block) -> None:
    if reference.shape != estimate.shape:
        message = f"the reference of {stem} differs in shape: {reference.shape} against {estimate.shape}"
        raise InvalidRequest(message, {"stem": stem})
