"""What a choice of an engine looks at besides the wish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.router.core.policy import Policy
from stemhouse.jobs import Decision, EngineOffer, EngineSurvey, SeparationRequest
from stemhouse.vocab import BASE_STEMS

STARTER = "starter"
"""The engine that is there wherever Stemhouse is, and far from a full model."""

CPU = "cpu"
"""The device of an offer that needs no other."""

_GRADE_BASIC = "basic"


@dataclass(frozen=True)
class Failure:
    """An engine that was chosen for a job and then could not be used, and why, in a sentence."""

    decision: Decision
    cause: str


@dataclass(frozen=True)
class Scene:
    """All that matters when an engine is chosen.

    `size_bytes` is of the source file, `longest_s` the most that it can last (None: nobody knows). `failures` are
    engines that this job has tried in vain, `resting` the ids of those that failed others again and again. `rooms` are
    the minutes that the job may spend, by cloud account.
    """

    survey: EngineSurvey
    policy: Policy = field(default_factory=Policy)
    size_bytes: int = 0
    longest_s: float | None = None
    is_in_batch: bool = False
    failures: Sequence[Failure] = ()
    resting: frozenset[str] = frozenset()
    rooms: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_large(self) -> bool:
        """Whether the size of the file counts; in a batch it does not."""
        return self.size_bytes >= self.policy.large_files.from_bytes and not self.is_in_batch

    def is_too_large_for(self, offer: EngineOffer) -> bool:
        """Whether the engine takes no such file."""
        return self.is_large and offer.name not in self.policy.large_files.engines

    def has_failed(self, offer: EngineOffer) -> bool:
        """Whether the job has tried it in vain."""
        return any(failure.decision.engine_id == offer.engine_id for failure in self.failures)

    def offers_of(self, engine: str, request: SeparationRequest) -> list[EngineOffer]:
        """The engine's offers that could answer the request, but for those that failed."""
        offers = [offer for offer in self.survey.offers if offer.name == engine and self.is_meant(offer, request)]
        return [offer for offer in offers if not self.has_failed(offer)]

    def is_meant(self, offer: EngineOffer, request: SeparationRequest) -> bool:
        """Whether it is of the model that was named, or gives all base stems where none was.

        An engine that leaves stems of its model out is for whoever wants nothing but vocals and the rest.
        """
        if self._leaves_stems_out(offer):
            return request.is_vocals_only and request.model in {"", offer.model}
        return offer.model == request.model if request.model else set(BASE_STEMS) <= set(offer.stems)

    def _leaves_stems_out(self, offer: EngineOffer) -> bool:
        others = (other for other in self.survey.offers if (other.name, other.model) == (offer.name, offer.model))
        return any(set(offer.stems) < set(other.stems) for other in others)


def is_basic(offer: EngineOffer) -> bool:
    """Whether it works everywhere and is far from a full model."""
    return offer.grade == _GRADE_BASIC


def in_model_order(offers: Sequence[EngineOffer], request: SeparationRequest, scene: Scene) -> list[EngineOffer]:
    """The models that the preset prefers first; the others as separators list them, an engine's better ones first.

    A model that is offered on several devices is taken on a GPU before it is on a processor, and before an engine that
    gives all of its stems one that leaves out what the request does not want.
    """
    models = scene.policy.presets.of(request.preset).models
    listed = [offer.model for offer in offers]

    def place(offer: EngineOffer) -> tuple[int, bool, int]:
        preferred = models.get(offer.name, ())
        is_preferred = offer.model in preferred
        rank = preferred.index(offer.model) if is_preferred else len(preferred) + listed.index(offer.model)
        return rank, offer.device == CPU, len(offer.stems)

    return sorted(offers, key=place)
