"""What a batch will be separated with, as far as its plan can tell, and what that may cost.

Who asks for `auto` leaves the choice for each track to the router; its rules for batches are those that count, and this
is what they come to as long as nothing fails.
"""

import math
from collections.abc import Sequence

from stemhouse.batches import BatchItem, BatchSpec
from stemhouse.cloud import CLOUD_ENGINES
from stemhouse.errors import BudgetExceeded, EngineUnavailable, InvalidRequest, Unavailable
from stemhouse.jobs import EngineOffer, EngineSurvey
from stemhouse.vocab import AUTO_ENGINE, BASE_STEMS, DERIVED_STEMS, VOCALS

_GRADE_BASIC = "basic"
_PREFERRED = ("demucs", "htdemucs")
"""Engine and model that the router takes for whoever names none."""
_PULL = "stemhouse models pull htdemucs"


def offer_for(spec: BatchSpec, survey: EngineSurvey) -> EngineOffer:
    """What the batch's jobs will begin with, as things are now.

    `auto` never means the basic engine: ten thousand tracks are not to be done twice; nor one that costs money. Raises
    EngineUnavailable that names the command that helps, InvalidRequest for an engine that nobody knows, and Unavailable
    if a separator that does not answer may have it.
    """
    able = [offer for offer in survey.offers if _is_meant(offer, spec)]
    if able:
        return min(able, key=lambda offer: (offer.name != _PREFERRED[0], offer.model != _PREFERRED[1]))
    details = {"engine": spec.engine, "model": spec.model}
    message = f"{_cause(spec)}; {_remedy(spec, survey)}"
    known = sorted({*CLOUD_ENGINES, *(offer.name for offer in survey.offers), *(gap.engine for gap in survey.gaps)})
    if survey.is_partial:
        raise Unavailable(f"{message}; a separator that does not answer may have it", details)
    if survey.offers and spec.engine not in {AUTO_ENGINE, _PREFERRED[0], *known}:
        raise InvalidRequest(f"there is no engine {spec.engine}; there are {', '.join(known)}", details)
    raise EngineUnavailable(message, details)


def engine_asked_for(spec: BatchSpec, offer: EngineOffer) -> str:
    """What each job names: a model names its engine, and `auto` lets the router go on with another where one fails."""
    return offer.name if spec.model else spec.engine


def most_cloud_minutes(spec: BatchSpec, items: Sequence[BatchItem], offer: EngineOffer, survey: EngineSurvey) -> float:
    """The most that the batch can be charged: for all tracks if that is what was asked for, or for `auto` failed ones.

    Raises BudgetExceeded for an engine that was named, costs money, and got no cap.
    """
    is_free = engine_asked_for(spec, offer) == AUTO_ENGINE
    rates = [other.cloud.rate for other in (survey.offers if is_free else (offer,)) if other.cloud]
    cost = sum(_minutes(item, max(rates)) for item in items) if rates else 0.0
    if rates and not is_free and spec.cloud_minutes <= 0.0:
        raise _no_cap(offer, cost)
    return min(cost, spec.cloud_minutes)


def _minutes(item: BatchItem, rate: float) -> float:
    """Each track is counted in hundredths of a minute."""
    return math.ceil(item.audio_s / 60 * rate * 100) / 100


def _no_cap(offer: EngineOffer, cost: float) -> BudgetExceeded:
    message = (
        f"{offer.name} sends the tracks away and takes up to {cost:.2f} minutes of the account: "
        f"allow that with --cloud-minutes {cost:.2f}, or less"
    )
    return BudgetExceeded(message, {"engine": offer.name, "minutes": f"{cost:.2f}"})


def require_stems(spec: BatchSpec, offer: EngineOffer) -> None:
    """Raises InvalidRequest if the engine does not give what shall be delivered: better now than track by track."""
    able = (*offer.stems, *(DERIVED_STEMS if VOCALS in offer.stems else ()))
    missing = [stem for stem in spec.delivery.stems if stem not in able]
    if missing:
        message = f"{offer.name} ({offer.model}) gives no {', '.join(missing)}; it gives {', '.join(able)}"
        raise InvalidRequest(message, {"spec.stems": message})


def _is_meant(offer: EngineOffer, spec: BatchSpec) -> bool:
    if spec.model:
        return offer.model == spec.model and spec.engine in {AUTO_ENGINE, offer.name}
    if not set(BASE_STEMS) <= set(offer.stems):
        return False
    if spec.engine == AUTO_ENGINE:
        return offer.grade != _GRADE_BASIC and offer.cloud is None
    return offer.name == spec.engine


def _cause(spec: BatchSpec) -> str:
    if spec.model:
        return f"no separator has the model {spec.model}"
    if spec.engine != AUTO_ENGINE:
        return f"no separator offers the engine {spec.engine}"
    return "no model is installed that is good enough for a batch"


def _remedy(spec: BatchSpec, survey: EngineSurvey) -> str:
    if spec.model:
        return f"if `stemhouse models list` has it, get it with: stemhouse models pull {spec.model}"
    if spec.engine in CLOUD_ENGINES:
        return "it takes a licence key when the stack starts: see the README"
    gaps = [gap for gap in survey.gaps if spec.engine in {AUTO_ENGINE, gap.engine}]
    command = next((gap.remedy for gap in gaps), _PULL)
    by_itself = " (or ask for the basic one: --engine starter)" if spec.engine == AUTO_ENGINE else ""
    return f"get one with: {command}{by_itself}"
