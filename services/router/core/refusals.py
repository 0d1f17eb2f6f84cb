"""Why no engine could be chosen, and what helps."""

from collections.abc import Sequence

from services.router.core.scene import Scene, is_basic
from stemhouse.errors import EngineUnavailable, Unavailable
from stemhouse.jobs import EngineGap, EngineOffer, SeparationRequest
from stemhouse.vocab import AUTO_ENGINE


def nothing_chosen(request: SeparationRequest, scene: Scene) -> Unavailable:
    """The error for a request that nothing may be taken for.

    Plain Unavailable if a separator that does not answer may have it, EngineUnavailable if waiting helps nobody.
    """
    details = {"engine": request.engine, "model": request.model}
    offers = scene.survey.offers
    owner = next((offer.name for offer in offers if request.model and offer.model == request.model), "")
    if owner and not any(map(scene.has_failed, offers)):
        message = f"the model {request.model} is of {owner}, not of {request.engine}; offered: {_listed(offers)}"
        return EngineUnavailable(message, details)
    message = "; ".join([*(failure.cause for failure in scene.failures), _cause(request, scene)])
    if scene.survey.is_partial:
        return Unavailable(f"{message}; a separator that does not answer may have it", details)
    return EngineUnavailable(message, details)


def obstacle(engine: str, gaps: Sequence[EngineGap]) -> str:
    """What keeps an engine from being used, as the rest of a sentence about it."""
    causes = [f"cannot be used: {gap.cause}; get it with: {gap.remedy}" for gap in gaps if gap.engine == engine]
    return " and ".join(causes) or "is not set up here"


def _cause(request: SeparationRequest, scene: Scene) -> str:
    offered = f"offered: {_listed(scene.survey.offers)}"
    if request.model:
        remedy = f"if `stemhouse models list` has it, get it with: stemhouse models pull {request.model}"
        return f"no model {request.model} can be used; {remedy}; {offered}"
    if request.engine != AUTO_ENGINE:
        return f"engine {request.engine} is not available: it {obstacle(request.engine, scene.survey.gaps)}; {offered}"
    remedies = "".join(f"; get {gap.engine} with: {gap.remedy}" for gap in scene.survey.gaps)
    if scene.is_in_batch and any(map(is_basic, scene.survey.offers)):
        by_name = "or ask for the basic one by name: --engine starter"
        return f"no engine is offered that is good enough for a batch{remedies} ({by_name}); {offered}"
    return f"no engine is left that `auto` may take{remedies}; {offered}"


def _listed(offers: Sequence[EngineOffer]) -> str:
    return ", ".join(sorted(f"{offer.name} ({offer.model})" for offer in offers)) or "none"
