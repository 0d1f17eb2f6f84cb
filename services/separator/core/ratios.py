"""Ratios of energies in dB that are never NaN or infinite, and SI-SDR and SDR made of them."""

import math

import numpy as np

from services.separator.core.ports import Block

LIMIT_DB = 60.0


def ratio_db(wanted_energy: float, unwanted_energy: float) -> float:
    """10 log10 of the ratio, within [-60, 60]; no wanted energy is the floor, whatever the other."""
    if wanted_energy <= 0.0:
        return -LIMIT_DB
    if unwanted_energy <= 0.0:
        return LIMIT_DB
    return min(max(10 * (math.log10(wanted_energy) - math.log10(unwanted_energy)), -LIMIT_DB), LIMIT_DB)


class InnerProducts:
    """All that SI-SDR and SDR need to know of a reference and an estimate, in float64, block by block."""

    def __init__(self) -> None:
        self.reference_energy = 0.0
        self._estimate_energy = 0.0
        self._error_energy = 0.0
        self._correlation = 0.0

    def add(self, reference: Block, estimate: Block) -> None:
        """Take in one more pair of blocks, of one shape."""
        true = reference.astype(np.float64).ravel()
        estimated = estimate.astype(np.float64).ravel()
        error = true - estimated
        self.reference_energy += float(true @ true)
        self._estimate_energy += float(estimated @ estimated)
        self._error_energy += float(error @ error)
        self._correlation += float(true @ estimated)

    def si_sdr_db(self) -> float:
        """Projection of the estimate on the reference (not silent), against the rest of the estimate."""
        projected_energy = self._correlation**2 / self.reference_energy
        return ratio_db(projected_energy, self._estimate_energy - projected_energy)

    def sdr_db(self) -> float:
        """Reference against error."""
        return ratio_db(self.reference_energy, self._error_energy)
