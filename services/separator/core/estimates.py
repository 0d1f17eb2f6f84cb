"""An SI-SDR of vocals that no reference is known of: gates first, then a calibrated guess, and how far off it may be.

Only vocals are estimated, and only against other outputs of the same engine: the signals tell how sure an engine is of
what it did. A wrong thing done with confidence, or damage done to the stems afterwards, does not show in them.
"""

from dataclasses import dataclass

from services.separator.core.calibrations import AMB, REMIX, Calibration, Calibrations
from services.separator.core.remix import Remix
from services.separator.core.survey import Survey
from stemhouse.audio import StemSet
from stemhouse.vocab import VOCALS

AMB_METHOD = "mask-ambiguity"
REMIX_METHOD = "remix"
BOTH_METHOD = "mask-ambiguity+remix"

UNCALIBRATED_REMIX_DB = 5.0
"""Declared, not measured: of the verifier's fit for an engine that has no calibration."""
UNCALIBRATED_AMB_DB = 8.0
"""Likewise, of another engine's fit of the ambiguity: its offset differed by 4 dB between the two engines compared."""

_SHORTEST_S = 3.0
_SILENCE_DB = -60.0
_NO_VOCALS_DB, _NO_VOCALS_SHARE = -25.0, 0.05
_NO_REST_DB = -28.0


@dataclass(frozen=True)
class Estimate:
    """SI-SDR of the vocals, give or take; `calibration_id` is empty if it is borrowed from another engine."""

    si_sdr_db: float
    uncertainty_db: float
    method: str
    calibration_id: str = ""
    note: str = ""


def obstacle(stem_set: StemSet, survey: Survey) -> str:
    """Why the vocals of this result cannot be judged by themselves, whoever made them; empty if they can.

    None of these is a failure of the engine that another one could repair.
    """
    if stem_set.stem(VOCALS) is None or len(stem_set.stems) == 1:
        return "vocals are judged against the rest: the engine gave only one of both"
    if stem_set.audio.duration_s < _SHORTEST_S:
        return f"the track is shorter than {_SHORTEST_S:g} s"
    if survey.mixture.power <= 10 ** (_SILENCE_DB / 10):
        return "the track is silent"
    if survey.share_db(VOCALS) < _NO_VOCALS_DB and _sung_share(stem_set, survey) < _NO_VOCALS_SHARE:
        return "no vocals were found"
    rest_power = sum(levels.power for name, levels in survey.stems.items() if name != VOCALS)
    if rest_power < 10 ** (_NO_REST_DB / 10) * survey.mixture.power:
        return "there is nothing but vocals"
    return ""


def _sung_share(stem_set: StemSet, survey: Survey) -> float:
    """What was counted when the result was made, or else in the survey."""
    return survey.sounding_share(VOCALS) if stem_set.vocal_share is None else stem_set.vocal_share


def estimate(stem_set: StemSet, amb_db: float, remix: Remix | None, calibrations: Calibrations) -> Estimate | None:
    """By the engine's own calibration, or else by the verifier's; None if there is neither."""
    own = calibrations.of(stem_set.engine, stem_set.model)
    return _calibrated(own, amb_db, remix) if own else _borrowed(stem_set, amb_db, remix, calibrations)


def _calibrated(own: Calibration, amb_db: float, remix: Remix | None) -> Estimate:
    signals_db, method, note = {AMB: amb_db}, AMB_METHOD, ""
    if remix and remix.engine_id == own.verifier_engine_id:
        signals_db[REMIX] = remix.db
        method = BOTH_METHOD
    elif remix:
        note = (
            f"calibrated with {own.verifier_engine_id} as the verifier, so what {remix.engine_id} found does not count"
        )
    fit = own.fit(*signals_db)
    value_db = fit.estimate_db(signals_db, own.ranges_db)
    return Estimate(value_db, fit.mean_abs_error_db, method, own.calibration_id, note)


def _borrowed(stem_set: StemSet, amb_db: float, remix: Remix | None, calibrations: Calibrations) -> Estimate | None:
    """With margins that are declared, not measured."""
    what = f"{stem_set.engine} {stem_set.model} has no calibration"
    verifiers = calibrations.of_verifier(remix.engine_id) if remix else None
    if remix and verifiers:
        value_db = verifiers.fit(REMIX).estimate_db({REMIX: remix.db}, verifiers.ranges_db)
        note = f"{what}: judged by {remix.engine_id}, with a wider margin"
        return Estimate(value_db, UNCALIBRATED_REMIX_DB, REMIX_METHOD, note=note)
    if not calibrations.known:
        return None
    other = calibrations.known[0]
    value_db = other.fit(AMB).estimate_db({AMB: amb_db}, other.ranges_db)
    note = f"{what}: a rough guess by that of {other.engine}, a verifier can tell more"
    return Estimate(value_db, UNCALIBRATED_AMB_DB, AMB_METHOD, note=note)
