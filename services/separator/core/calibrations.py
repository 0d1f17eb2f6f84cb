"""Calibrations, JSON files made by a program: what turns the signals of an engine's stems into SI-SDR of its vocals.

A file holds linear fits, each over some of the signals `amb` (see `mask_ambiguity`) and `remix` (see `remix`), made on
songs whose true stems are known. `mean_abs_error_db` is that of songs that the fit had not seen. A calibration is good
for one engine and the models it names; its remix signal is that of one verifier.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from services.separator.core.ratios import LIMIT_DB
from stemhouse.errors import InternalFault

AMB, REMIX = "amb", "remix"
"""The signals, in dB."""

LEAST_SIGNAL_DB = -10.0
"""What lies below tells no more: such vocals are hopeless, and how hopeless they are does not matter."""

_SIGNALS = frozenset({AMB, REMIX})


@dataclass(frozen=True)
class Fit:
    """SI-SDR in dB = intercept + sum of weight * signal, give or take the mean absolute error."""

    weights: Mapping[str, float]
    intercept_db: float
    mean_abs_error_db: float

    def estimate_db(self, signals_db: Mapping[str, float], ranges_db: Mapping[str, tuple[float, float]]) -> float:
        """For signals that hold those of the fit, each moved into the range that was seen when it was made."""
        total = self.intercept_db
        for name, weight in self.weights.items():
            low, high = ranges_db[name]
            total += weight * min(max(signals_db[name], low), high)
        return min(max(total, -LIMIT_DB), LIMIT_DB)


@dataclass(frozen=True)
class Calibration:
    """The fits for the vocals of one engine; `engine_id` is the one it was made with."""

    calibration_id: str
    engine: str
    models: tuple[str, ...]
    engine_id: str
    verifier_engine_id: str
    fits: tuple[Fit, ...]
    ranges_db: Mapping[str, tuple[float, float]]

    def fit(self, *signals: str) -> Fit:
        """The fit over exactly these signals."""
        return next(fit for fit in self.fits if set(fit.weights) == set(signals))


@dataclass(frozen=True)
class Calibrations:
    """All that are known."""

    known: tuple[Calibration, ...] = ()

    def of(self, engine: str, model: str) -> Calibration | None:
        """The one of an engine's model, or None."""
        return next((known for known in self.known if known.engine == engine and model in known.models), None)

    def of_verifier(self, engine_id: str) -> Calibration | None:
        """The one in which that engine has verified its own stems, or None."""
        wanted = (engine_id, engine_id)
        return next((known for known in self.known if (known.engine_id, known.verifier_engine_id) == wanted), None)


def calibration_from_json(document: bytes, origin: str) -> Calibration:
    """Raises InternalFault that names `origin` for a document that is no calibration, or holds no finite numbers."""
    try:
        return _calibration(json.loads(document))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{origin} is not a calibration: {error!r}; make it again with: make calibrate"
        raise InternalFault(message, {"file": origin}) from error


def _calibration(fields: Any) -> Calibration:
    calibration = Calibration(
        calibration_id=_text(fields["calibration_id"]),
        engine=_text(fields["engine"]),
        models=tuple(_text(model) for model in fields["models"]),
        engine_id=_text(fields["engine_id"]),
        verifier_engine_id=_text(fields["verifier_engine_id"]),
        fits=tuple(_fit(fit) for fit in fields["fits"]),
        ranges_db={name: _range(bounds) for name, bounds in fields["ranges_db"].items()},
    )
    made = {frozenset(fit.weights) for fit in calibration.fits}
    if made != {frozenset({AMB}), frozenset({REMIX}), _SIGNALS} or set(calibration.ranges_db) != _SIGNALS:
        raise ValueError("it needs ranges of amb and remix, and fits of each and of both")
    return calibration


def _fit(fields: Any) -> Fit:
    weights = {_text(name): _number(weight) for name, weight in fields["weights"].items()}
    error_db = _number(fields["mean_abs_error_db"])
    if min(weights.values()) <= 0.0 or error_db <= 0.0:
        raise ValueError("a weight or an error is not above 0")
    return Fit(weights, _number(fields["intercept_db"]), error_db)


def _range(bounds: Any) -> tuple[float, float]:
    low, high = map(_number, bounds)
    if not -LIMIT_DB <= low < high <= LIMIT_DB:
        raise ValueError(f"{low} to {high} is not a range within -60 to 60 dB")
    return low, high


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a name")
    return value
