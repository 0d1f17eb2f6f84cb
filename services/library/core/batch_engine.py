"""Which engine a batch asks for: the same one for all its tracks, and never the basic one by itself."""

from stemhouse.batches import BatchSpec
from stemhouse.errors import EngineUnavailable, InvalidRequest, Unavailable
from stemhouse.jobs import EngineOffer, EngineSurvey
from stemhouse.vocab import AUTO_ENGINE, BASE_STEMS, DERIVED_STEMS, VOCALS

_GRADE_BASIC = "basic"
_PREFERRED = ("demucs", "htdemucs")
"""Engine and model that the router takes for whoever names none."""
_PULL = "stemhouse models pull htdemucs"


def offer_for(spec: BatchSpec, survey: EngineSurvey) -> EngineOffer:
    """What the batch's jobs will be separated with, as things are now.

    `auto` never means the basic engine: ten thousand tracks are not to be done twice. Raises EngineUnavailable that
    names the command that helps, and Unavailable if a separator that does not answer may have it.
    """
    able = [offer for offer in survey.offers if _is_meant(offer, spec)]
    if able:
        return min(able, key=lambda offer: (offer.name != _PREFERRED[0], offer.model != _PREFERRED[1]))
    details = {"engine": spec.engine, "model": spec.model}
    message = f"{_cause(spec)}; {_remedy(spec, survey)}"
    if survey.is_partial:
        raise Unavailable(f"{message}; a separator that does not answer may have it", details)
    raise EngineUnavailable(message, details)


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
    return offer.grade != _GRADE_BASIC if spec.engine == AUTO_ENGINE else offer.name == spec.engine


def _cause(spec: BatchSpec) -> str:
    if spec.model:
        return f"no separator has the model {spec.model}"
    if spec.engine != AUTO_ENGINE:
        return f"no separator offers the engine {spec.engine}"
    return "no model is installed that is good enough for a batch"


def _remedy(spec: BatchSpec, survey: EngineSurvey) -> str:
    if spec.model:
        return f"if `stemhouse models list` has it, get it with: stemhouse models pull {spec.model}"
    gaps = [gap for gap in survey.gaps if spec.engine in {AUTO_ENGINE, gap.engine}]
    command = next((gap.remedy for gap in gaps), _PULL)
    by_itself = " (or ask for the basic one: --engine starter)" if spec.engine == AUTO_ENGINE else ""
    return f"get one with: {command}{by_itself}"
