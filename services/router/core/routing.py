"""Which engine separates a track, and why. Pure: what is offered and a request in, a decision with reasons out."""

from collections.abc import Sequence
from dataclasses import dataclass

from stemhouse.errors import EngineUnavailable, Unavailable
from stemhouse.jobs import Decision, EngineGap, EngineOffer, EngineSurvey, SeparationRequest
from stemhouse.vocab import AUTO_ENGINE, BASE_STEMS, VOCALS

POLICY_VERSION = 2
"""Grows whenever the rules below change, so that older answers to `auto` no longer count."""

PREFERENCE = ("demucs", "starter")
"""For `auto`: the first that is offered. The starter comes last: it works everywhere and is basic."""

DEFAULT_MODELS = {"demucs": "htdemucs"}
"""An engine's model for whoever names none, where it is installed: else the first one offered."""

LISTENERS = tuple(reversed(PREFERENCE))
"""Who tells whether somebody sings: the cheapest that is offered, since it is asked about tracks that wait."""

_GRADE_BASIC = "basic"


@dataclass(frozen=True)
class Failure:
    """An engine that was chosen for a job and then could not be used, and why, in a sentence."""

    decision: Decision
    cause: str


def choose_engine(request: SeparationRequest, survey: EngineSurvey, failures: Sequence[Failure] = ()) -> Decision:
    """The engine and model asked for, or the best one offered; of an engine's models its default, or the first.

    A model that does not give all base stems is taken only for whoever names it. What failed before is not chosen
    again, even while it is still offered.
    Raises EngineUnavailable that lists what there is and names the command that gets what is missing; Unavailable if
    a separator that does not answer now may have it.
    """
    failed_ids = {failure.decision.engine_id for failure in failures}
    offers = [offer for offer in survey.offers if _is_meant(offer, request) and offer.engine_id not in failed_ids]
    wanted = PREFERENCE if request.engine == AUTO_ENGINE else (request.engine,)
    for name in wanted:
        able = [offer for offer in offers if offer.name == name]
        if able:
            offer = min(able, key=lambda offer: offer.model != DEFAULT_MODELS.get(name))
            return Decision(offer.name, offer.engine_id, tuple(_reasons(request, offer, survey, failures)))
    raise _nothing_chosen(request, survey, failures)


def choose_listener(survey: EngineSurvey) -> EngineOffer:
    """The engine that tells whether somebody sings.

    Raises EngineUnavailable if none has a stem of vocals, Unavailable if one that does not answer now may have it.
    """
    for name in LISTENERS:
        for offer in survey.offers:
            if offer.name == name and VOCALS in offer.stems:
                return offer
    message = f"no engine that is offered gives {VOCALS}"
    if survey.is_partial:
        raise Unavailable(f"{message}; a separator that does not answer may have one")
    raise EngineUnavailable(message)


def _is_meant(offer: EngineOffer, request: SeparationRequest) -> bool:
    return offer.model == request.model if request.model else set(BASE_STEMS) <= set(offer.stems)


def _reasons(
    request: SeparationRequest, offer: EngineOffer, survey: EngineSurvey, failures: Sequence[Failure]
) -> list[str]:
    asked = f"model {request.model} was asked for"
    if request.engine != AUTO_ENGINE:
        return [f"engine {request.engine} was asked for", *([asked] if request.model else [])]
    if request.model:
        return [f"auto: {asked}, which is of {offer.name}"]
    return _reasons_for_auto(offer, survey, failures)


def _reasons_for_auto(offer: EngineOffer, survey: EngineSurvey, failures: Sequence[Failure]) -> list[str]:
    failed = {failure.decision.engine for failure in failures}
    passed_over = [name for name in PREFERENCE[: PREFERENCE.index(offer.name)] if name not in failed]
    reasons = [f"auto: {failure.cause}" for failure in failures]
    reasons += [f"auto: {name} {_obstacle(name, survey.gaps)}" for name in passed_over]
    if survey.is_partial:
        reasons.append("auto: a separator did not answer, so what it offers was not considered")
    reasons.append(f"auto: {offer.name} ({offer.model}) is the best engine offered")
    if offer.grade == _GRADE_BASIC:
        reasons.append(f"{offer.name} is of basic quality: it needs no download and is far from a full model")
    return reasons


def _obstacle(name: str, gaps: Sequence[EngineGap]) -> str:
    causes = [f"cannot be used: {gap.cause}; get it with: {gap.remedy}" for gap in gaps if gap.engine == name]
    return " and ".join(causes) or "is not offered by any separator"


def _nothing_chosen(request: SeparationRequest, survey: EngineSurvey, failures: Sequence[Failure]) -> Unavailable:
    details = {"engine": request.engine, "model": request.model}
    owner = next((offer.name for offer in survey.offers if request.model and offer.model == request.model), "")
    if owner:
        offered = _listed(survey.offers)
        message = f"the model {request.model} is of {owner}, not of {request.engine}; offered: {offered}"
        return EngineUnavailable(message, details)
    message = "; ".join([*(failure.cause for failure in failures), _nothing_to_offer(request, survey)])
    if survey.is_partial:
        return Unavailable(f"{message}; a separator that does not answer may have it", details)
    return EngineUnavailable(message, details)


def _listed(offers: Sequence[EngineOffer]) -> str:
    return ", ".join(sorted(f"{offer.name} ({offer.model})" for offer in offers)) or "none"


def _nothing_to_offer(request: SeparationRequest, survey: EngineSurvey) -> str:
    offered = _listed(survey.offers)
    if request.model:
        remedy = f"if `stemhouse models list` has it, get it with: stemhouse models pull {request.model}"
        return f"no model {request.model} can be used; {remedy}; offered: {offered}"
    obstacle = _obstacle(request.engine, survey.gaps)
    return f"engine {request.engine} is not available: it {obstacle}; offered: {offered}"
