"""Which engine separates a track, and why. Pure: what is offered and a request in, a decision with reasons out."""

from collections.abc import Sequence

from stemhouse.errors import EngineUnavailable
from stemhouse.jobs import Decision, EngineGap, EngineOffer, EngineSurvey, SeparationRequest
from stemhouse.vocab import AUTO_ENGINE, BASE_STEMS

POLICY_VERSION = 2
"""Grows whenever the rules below change, so that older answers to `auto` no longer count."""

PREFERENCE = ("demucs", "starter")
"""For `auto`: the first that is offered. The starter comes last: it works everywhere and is basic."""

DEFAULT_MODELS = {"demucs": "htdemucs"}
"""An engine's model for whoever names none, where it is installed: else the first one offered."""

_GRADE_BASIC = "basic"


def choose_engine(request: SeparationRequest, survey: EngineSurvey) -> Decision:
    """The engine and model asked for, or the best one offered; of an engine's models its default, or the first.

    A model that does not give all base stems is taken only for whoever names it.
    Raises EngineUnavailable that lists what there is and names the command that gets what is missing.
    """
    offers = [offer for offer in survey.offers if _is_meant(offer, request)]
    wanted = PREFERENCE if request.engine == AUTO_ENGINE else (request.engine,)
    for name in wanted:
        able = [offer for offer in offers if offer.name == name]
        if able:
            offer = min(able, key=lambda offer: offer.model != DEFAULT_MODELS.get(name))
            return Decision(offer.name, offer.engine_id, tuple(_reasons(request, offer, survey.gaps)))
    raise EngineUnavailable(_nothing_to_offer(request, survey), {"engine": request.engine, "model": request.model})


def _is_meant(offer: EngineOffer, request: SeparationRequest) -> bool:
    return offer.model == request.model if request.model else set(BASE_STEMS) <= set(offer.stems)


def _reasons(request: SeparationRequest, offer: EngineOffer, gaps: Sequence[EngineGap]) -> list[str]:
    asked = f"model {request.model} was asked for"
    if request.engine != AUTO_ENGINE:
        return [f"engine {request.engine} was asked for", *([asked] if request.model else [])]
    if request.model:
        return [f"auto: {asked}, which is of {offer.name}"]
    return _reasons_for_auto(offer, gaps)


def _reasons_for_auto(offer: EngineOffer, gaps: Sequence[EngineGap]) -> list[str]:
    passed_over = PREFERENCE[: PREFERENCE.index(offer.name)]
    reasons = [f"auto: {name} {_obstacle(name, gaps)}" for name in passed_over]
    reasons.append(f"auto: {offer.name} ({offer.model}) is the best engine offered")
    if offer.grade == _GRADE_BASIC:
        reasons.append(f"{offer.name} is of basic quality: it needs no download and is far from a full model")
    return reasons


def _obstacle(name: str, gaps: Sequence[EngineGap]) -> str:
    causes = [f"cannot be used: {gap.cause}; get it with: {gap.remedy}" for gap in gaps if gap.engine == name]
    return " and ".join(causes) or "is not offered by any separator"


def _nothing_to_offer(request: SeparationRequest, survey: EngineSurvey) -> str:
    offered = ", ".join(sorted(f"{offer.name} ({offer.model})" for offer in survey.offers)) or "none"
    owner = next((offer.name for offer in survey.offers if request.model and offer.model == request.model), "")
    if owner:
        return f"the model {request.model} is of {owner}, not of {request.engine}; offered: {offered}"
    if request.model:
        remedy = f"if `stemhouse models list` has it, get it with: stemhouse models pull {request.model}"
        return f"no model {request.model} can be used; {remedy}; offered: {offered}"
    obstacle = _obstacle(request.engine, survey.gaps)
    return f"engine {request.engine} is not available: it {obstacle}; offered: {offered}"
