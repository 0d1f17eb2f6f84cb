"""Which engine separates a track, and why. Pure: offers and a request in, a decision with reasons out."""

from collections.abc import Sequence

from stemhouse.errors import EngineUnavailable
from stemhouse.jobs import Decision, EngineOffer, SeparationRequest
from stemhouse.vocab import AUTO_ENGINE

POLICY_VERSION = 1
"""Grows whenever the rules below change, so that older answers to `auto` no longer count."""

PREFERENCE = ("demucs", "uvr", "starter")
"""For `auto`: the first that is offered. The starter comes last: it works everywhere and is basic."""

_GRADE_BASIC = "basic"


def choose_engine(request: SeparationRequest, offers: Sequence[EngineOffer]) -> Decision:
    """The engine asked for, or the best one offered. Raises EngineUnavailable that lists what there is."""
    if request.engine != AUTO_ENGINE:
        return _decision(_offer_of(request.engine, offers), f"engine {request.engine} was asked for")
    for name in PREFERENCE:
        offer = next((offer for offer in offers if offer.name == name), None)
        if offer:
            return _decision(offer, *_reasons_for_auto(offer))
    raise _unavailable(AUTO_ENGINE, offers)


def _reasons_for_auto(offer: EngineOffer) -> list[str]:
    passed_over = PREFERENCE[: PREFERENCE.index(offer.name)]
    reasons = [f"auto: {name} is not offered by any separator" for name in passed_over]
    reasons.append(f"auto: {offer.name} ({offer.model}) is the best engine offered")
    if offer.grade == _GRADE_BASIC:
        reasons.append(f"{offer.name} is of basic quality: it needs no download and is far from a full model")
    return reasons


def _decision(offer: EngineOffer, *reasons: str) -> Decision:
    return Decision(offer.name, offer.engine_id, reasons)


def _offer_of(name: str, offers: Sequence[EngineOffer]) -> EngineOffer:
    offer = next((offer for offer in offers if offer.name == name), None)
    if offer is None:
        raise _unavailable(name, offers)
    return offer


def _unavailable(name: str, offers: Sequence[EngineOffer]) -> EngineUnavailable:
    offered = ", ".join(sorted(offer.name for offer in offers)) or "none"
    return EngineUnavailable(f"engine {name} is not available; offered: {offered}", {"engine": name})
