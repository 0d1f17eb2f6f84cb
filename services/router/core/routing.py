"""Which engine separates a track, and why. Pure: a wish and a scene in, a decision with reasons out.

The policy gives the order in which engines are asked; rules here say which of them may not be taken, whatever the
order. Nobody who names an engine or a model gets another one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from services.router.core.cloud_budget import worst_case_minutes
from services.router.core.policy import Policy
from services.router.core.refusals import nothing_chosen, obstacle
from services.router.core.scene import CPU, STARTER, Scene, in_model_order, is_basic
from stemhouse.errors import BudgetExceeded, EngineUnavailable, Unavailable
from stemhouse.jobs import Attempt, Decision, EngineOffer, EngineSurvey, Preset, SeparationRequest
from stemhouse.vocab import AUTO_ENGINE, VOCALS, QualityStatus

LISTENERS = (STARTER, "demucs")
"""Who tells whether somebody sings: the cheapest that is offered, since it is asked about tracks that wait."""

_PRAISE = {
    Preset.FAST: "is the fastest engine offered",
    Preset.BALANCED: "is the best engine offered",
    Preset.BEST: "is the best engine offered",
}


@dataclass(frozen=True)
class _Step:
    """An engine that is asked, and why it is taken if it can be; `is_missed`: that it is not there is worth a word."""

    engine: str
    praise: str
    is_missed: bool = True


@dataclass(frozen=True)
class _Candidate:
    """An offer that may be taken, and why it would be."""

    offer: EngineOffer
    praise: str


def is_free_to_choose(request: SeparationRequest) -> bool:
    """Whether another engine may answer: nobody gets another one than the one that he named."""
    return request.engine == AUTO_ENGINE and not request.model


def may_try_again(request: SeparationRequest) -> bool:
    """Whether a second engine may follow a first that did its work: who asks for the fastest does not wait twice."""
    return is_free_to_choose(request) and request.preset is not Preset.FAST


def is_urgent_for_vocals(request: SeparationRequest, policy: Policy) -> bool:
    """Whether nothing but vocals and the rest is wanted, and before almost everything else."""
    return request.is_vocals_only and request.priority <= policy.urgent_vocals.priority_up_to


def decide(request: SeparationRequest, scene: Scene) -> Decision:
    """The engine and model that were asked for, or the first one of the policy's order that may be taken.

    What failed before is not chosen again, even while it is still offered. A model that does not give all base stems is
    taken only for whoever names it.
    Raises EngineUnavailable that lists what there is and names the command that gets what is missing, Unavailable if a
    separator that does not answer may have it, and BudgetExceeded for a cloud engine that was named without a cap.
    """
    if not is_free_to_choose(request):
        return _named(request, scene)
    steps = list(_steps(request, scene))
    candidates = _candidates(steps, request, scene)
    if not candidates:
        raise nothing_chosen(request, scene)
    return _decision(candidates, _reasons(steps, candidates[0], request, scene))


def decide_again(request: SeparationRequest, scene: Scene, first: Attempt) -> Decision | None:
    """The engine that tries once more after a low score of the vocals; None: no other one may.

    A score that no data stands behind, or one of the starter, spends nobody's money.
    """
    if not may_try_again(request):
        return None
    praise = f"tries again, because the vocals of {first.decision.engine} are probably not clean"
    names = [name for name in scene.policy.retry.engines if name != first.decision.engine]
    candidates = _candidates([_Step(name, praise) for name in names], request, scene)
    if not _may_cost_money(first, scene):
        candidates = [candidate for candidate in candidates if candidate.offer.cloud is None]
    if not candidates:
        return None
    return _decision(candidates, [f"auto: {_title(candidates[0].offer)} {praise}", *_costs(candidates[0].offer, scene)])


def why_not_again(request: SeparationRequest, scene: Scene, first: Attempt) -> list[str]:
    """Why engines that are offered may not try once more, as a sentence without its end about each."""
    sentences = []
    for name in scene.policy.retry.engines:
        offers = scene.offers_of(name, request) if name != first.decision.engine else []
        causes = (_bar_of_score(offer, first, scene) or _bar(offer, request, scene) for offer in offers)
        sentences += [f"{name} {cause}" for cause in dict.fromkeys(causes) if cause]
    return sentences


def most_minutes(request: SeparationRequest, scene: Scene, decision: Decision) -> float:
    """The most that a track can cost, whatever its first engine comes to: fallbacks, and a second go, counted in."""
    planned_ids = {decision.engine_id, *decision.fallbacks}
    others = [
        offer
        for name in (scene.policy.retry.engines if may_try_again(request) else ())
        for offer in scene.offers_of(name, request)
        if not _bar(offer, request, scene)
    ]
    planned = [offer for offer in scene.survey.offers if offer.engine_id in planned_ids]
    by_id = {offer.engine_id: _cost_minutes(offer, scene) or 0.0 for offer in (*planned, *others)}
    return sum(by_id.values())


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


def _named(request: SeparationRequest, scene: Scene) -> Decision:
    meant = [offer for offer in scene.survey.offers if scene.is_meant(offer, request) and not scene.has_failed(offer)]
    able = [offer for offer in meant if request.engine in {AUTO_ENGINE, offer.name}]
    if not able:
        raise nothing_chosen(request, scene)
    offer = in_model_order(able, request, scene)[0]
    if offer.cloud and request.cloud_minutes <= 0.0:
        raise _no_cap(offer, scene)
    asked = f"model {request.model} was asked for"
    if request.engine == AUTO_ENGINE:
        reasons = [f"auto: {asked}, which is of {offer.name}"]
    else:
        reasons = [f"engine {request.engine} was asked for", *([asked] if request.model else [])]
    return Decision(offer.name, offer.engine_id, (*reasons, *_costs(offer, scene)))


def _no_cap(offer: EngineOffer, scene: Scene) -> BudgetExceeded:
    minutes = _cost_minutes(offer, scene)
    cost = "minutes of an account" if minutes is None else f"up to {minutes:.2f} minutes of the account"
    flag = "N" if minutes is None else f"{minutes:.2f}"
    message = f"{offer.name} sends the track away and takes {cost}: allow that with --cloud-minutes {flag}"
    return BudgetExceeded(message, {"engine": offer.name, "minutes": "" if minutes is None else f"{minutes:.2f}"})


def _steps(request: SeparationRequest, scene: Scene) -> Iterator[_Step]:
    """Every engine that the policy knows for such a request, in order; each once."""
    policy = scene.policy
    seen: set[str] = set()
    orders: list[tuple[Sequence[str], str]] = [(policy.presets.of(request.preset).engines, _PRAISE[request.preset])]
    if request.is_difficult:
        orders.insert(0, (policy.difficult.engines, "is asked first, since the track is marked difficult"))
    if is_urgent_for_vocals(request, policy):
        urgency = f"is asked first: vocals alone are wanted, at priority {request.priority}"
        orders.insert(0, (policy.urgent_vocals.engines, urgency))
    for names, praise in orders:
        for name in names:
            if name not in seen:
                seen.add(name)
                yield _Step(name, praise, is_missed=name == names[0])


def _candidates(steps: Sequence[_Step], request: SeparationRequest, scene: Scene) -> list[_Candidate]:
    """What may be taken, in order; engines that rest come last, but for those that cost money."""
    found = []
    for step in steps:
        offers = [offer for offer in scene.offers_of(step.engine, request) if not _bar(offer, request, scene)]
        found += [_Candidate(offer, step.praise) for offer in in_model_order(offers, request, scene)]
    return sorted(found, key=lambda candidate: candidate.offer.engine_id in scene.resting)


def _bar(offer: EngineOffer, request: SeparationRequest, scene: Scene) -> str:
    """Why an offer may not be taken, as the rest of a sentence about its engine; empty if it may."""
    if scene.is_in_batch and is_basic(offer):
        return "is never taken for a batch unless it is asked for by name"
    if scene.is_too_large_for(offer):
        return f"may not take a file of {scene.size_bytes / 1e6:.0f} MB"
    return _bar_of_cloud(offer, request, scene) if offer.cloud else ""


def _bar_of_cloud(offer: EngineOffer, request: SeparationRequest, scene: Scene) -> str:
    if request.cloud_minutes <= 0.0:
        return "is not asked: it sends the track away and costs minutes (--cloud-minutes)"
    if offer.engine_id in scene.resting:
        return "has failed again and again and rests"
    cost = _cost_minutes(offer, scene)
    room = scene.rooms.get(offer.cloud.account, 0.0) if offer.cloud else 0.0
    if cost is None or cost > room:
        price = "an unknown number of" if cost is None else f"up to {cost:.2f}"
        return f"is not asked: it takes {price} minutes, and {room:.2f} may be spent (`stemhouse cloud` tells why)"
    return ""


def _cost_minutes(offer: EngineOffer, scene: Scene) -> float | None:
    """The most that the track can take of the account; None if nobody knows how long it is."""
    if offer.cloud is None or scene.longest_s is None:
        return None
    return worst_case_minutes(scene.longest_s, offer.cloud.rate)


def _bar_of_score(offer: EngineOffer, first: Attempt, scene: Scene) -> str:
    is_guess = offer.cloud is not None and not _may_cost_money(first, scene)
    return f"costs minutes, and no data stands behind the scores of {first.decision.engine}" if is_guess else ""


def _may_cost_money(first: Attempt, scene: Scene) -> bool:
    """Whether data stands behind a score: it was calibrated, or measured against true stems, and not the starter's."""
    made_by = next((offer for offer in scene.survey.offers if offer.engine_id == first.decision.engine_id), None)
    vocals = first.quality.stem(VOCALS)
    if first.decision.engine == STARTER or (made_by and is_basic(made_by)) or vocals is None:
        return False
    if vocals.status == QualityStatus.MEASURED:
        return vocals.si_sdr_db is not None
    is_estimated = vocals.status == QualityStatus.ESTIMATED and vocals.estimated_si_sdr_db is not None
    return is_estimated and bool(first.quality.calibration_id)


def _decision(candidates: Sequence[_Candidate], reasons: Sequence[str]) -> Decision:
    chosen, *others = [candidate.offer for candidate in candidates]
    return Decision(chosen.name, chosen.engine_id, tuple(reasons), tuple(offer.engine_id for offer in others))


def _reasons(steps: Sequence[_Step], chosen: _Candidate, request: SeparationRequest, scene: Scene) -> list[str]:
    """What went wrong before, who was passed over and why, and why this one."""
    reasons = [f"auto: {failure.cause}" for failure in scene.failures]
    for step in takewhile(lambda step: step.engine != chosen.offer.name, steps):
        reasons += [f"auto: {step.engine} {why}" for why in _why_not(step, request, scene)]
    if scene.survey.is_partial:
        reasons.append("auto: a separator did not answer, so what it offers was not considered")
    if chosen.offer.engine_id in scene.resting:
        reasons.append(f"auto: {chosen.offer.name} has failed again and again, and no other engine is left to try")
    reasons.append(f"auto: {_title(chosen.offer)} {chosen.praise}")
    return [*reasons, *_costs(chosen.offer, scene), *_remarks(chosen.offer, scene)]


def _why_not(step: _Step, request: SeparationRequest, scene: Scene) -> Iterator[str]:
    """Why an engine was passed over, each cause once; nothing where its failure has been told already."""
    offers = scene.offers_of(step.engine, request)
    if not offers:
        is_told = any(failure.decision.engine == step.engine for failure in scene.failures)
        has_gap = any(gap.engine == step.engine for gap in scene.survey.gaps)
        if not is_told and (step.is_missed or has_gap):
            yield obstacle(step.engine, scene.survey.gaps)
        return
    causes = [_bar(offer, request, scene) or "has failed again and again and rests" for offer in offers]
    yield from dict.fromkeys(causes)


def _costs(offer: EngineOffer, scene: Scene) -> list[str]:
    minutes = _cost_minutes(offer, scene)
    return [] if minutes is None else [f"{offer.name} may take up to {minutes:.2f} minutes of the account"]


def _remarks(offer: EngineOffer, scene: Scene) -> list[str]:
    remarks = []
    if scene.is_large:
        size = f"the file has {scene.size_bytes / 1e6:.0f} MB"
        remarks.append(f"{size}: {offer.name} works through any length piece by piece, in the same memory")
    if offer.device != CPU and not offer.cloud:
        remarks.append(f"{offer.name} runs on {offer.device}, which goes before a processor")
    if is_basic(offer):
        remarks.append(f"{offer.name} is of basic quality: it needs no download and is far from a full model")
    return remarks


def _title(offer: EngineOffer) -> str:
    return f"{offer.name} ({offer.model})"
