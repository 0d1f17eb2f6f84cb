"""What an assessment without references means for a track, by the policy, in rules and in words. Pure.

Only vocals count: they are what a bad separation spoils first, and what an estimate knows best.
"""

from services.router.core.policy import RetryPolicy
from stemhouse.audio import QualityReport, StemQuality
from stemhouse.vocab import VOCALS, QualityStatus


def is_in_doubt(report: QualityReport, policy: RetryPolicy) -> bool:
    """Whether the verifier has to be asked: unless the vocals are clearly good, or none of its business.

    What was estimated without a calibration is a rough guess before.
    """
    vocals = _judged(report)
    if vocals is None:
        return False
    if vocals.estimated_si_sdr_db is None or not report.calibration_id:
        return True
    margin_db = max(vocals.uncertainty_db or 0.0, _margin_db(report, policy))
    return vocals.estimated_si_sdr_db - margin_db < policy.vocals_si_sdr_db


def is_low(report: QualityReport, policy: RetryPolicy) -> bool:
    """Whether the vocals are so bad that another engine should try, the doubt in their favour."""
    vocals = _judged(report)
    if vocals is None or vocals.estimated_si_sdr_db is None:
        return False
    return vocals.estimated_si_sdr_db + _margin_db(report, policy) < policy.vocals_si_sdr_db


def is_better(candidate: QualityReport, incumbent: QualityReport) -> bool:
    """Whether one verifier finds more of the candidate's vocals again. What it could not compare is no better."""
    scores_db = remix_scores_db(candidate, incumbent)
    return scores_db is not None and scores_db[0] > scores_db[1]


def remix_scores_db(one: QualityReport, other: QualityReport) -> tuple[float, float] | None:
    """Both scores by one verifier, or None if there are no such two."""
    one_vocals, other_vocals = one.stem(VOCALS), other.stem(VOCALS)
    if one_vocals is None or other_vocals is None or not one.verifier_id or one.verifier_id != other.verifier_id:
        return None
    if one_vocals.remix_db is None or other_vocals.remix_db is None:
        return None
    return one_vocals.remix_db, other_vocals.remix_db


def doubt_text(report: QualityReport, policy: RetryPolicy) -> str:
    """What is wrong with low vocals, or why nothing is known of them: a sentence without its end; empty if neither."""
    vocals = report.stem(VOCALS)
    if vocals is None:
        return ""
    if vocals.estimated_si_sdr_db is None:
        return vocals.note
    give_or_take = f", give or take {vocals.uncertainty_db:.1f}" if vocals.uncertainty_db is not None else ""
    score = f"{vocals.estimated_si_sdr_db:z.1f} dB{give_or_take}"
    return f"the vocals are probably not clean: about {score}, where {policy.vocals_si_sdr_db:g} dB are wanted"


def _judged(report: QualityReport) -> StemQuality | None:
    """The vocals, unless a gate has found that there is nothing to judge."""
    vocals = report.stem(VOCALS)
    return vocals if vocals and vocals.status == QualityStatus.ESTIMATED else None


def _margin_db(report: QualityReport, policy: RetryPolicy) -> float:
    return policy.calibrated_margin_db if report.calibration_id else policy.uncalibrated_margin_db
