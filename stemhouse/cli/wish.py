"""What the options of `separate` ask for, held against what the engines give before anything is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stemhouse.client.sdk import Stemhouse
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import InvalidRequest, Unavailable
from stemhouse.jobs import DEFAULT_PRIORITY, EngineOffer, Preset
from stemhouse.vocab import AUTO_ENGINE, BASE_STEMS, DERIVED_STEMS, OTHER, VOCALS

NO_SUM_FLAG = "--no-sum-to-mix"


@dataclass(frozen=True)
class Wish:
    """What the options ask of every file. `references` are paths of true stems, by stem name."""

    output_dir: Path
    delivery: DeliveryOptions
    engine: str = AUTO_ENGINE
    model: str = ""
    priority: int = DEFAULT_PRIORITY
    force: bool = False
    sum_to_mix: bool = True
    references: Mapping[str, Path] = field(default_factory=dict)
    preset: Preset = Preset.BALANCED
    is_difficult: bool = False
    cloud_minutes: float = 0.0

    @property
    def is_vocals_only(self) -> bool:
        """See DeliveryOptions."""
        return self.delivery.is_vocals_only


def offers_for(client: Stemhouse, wish: Wish) -> list[EngineOffer] | None:
    """The engines that the wish allows; None if that cannot be told now, or makes no difference."""
    if wish.engine == AUTO_ENGINE and not wish.model and not wish.delivery.stems:
        return None
    try:
        survey = client.survey()
    except Unavailable:
        return None  # while no separator answers, a job can wait for one
    offers = [
        offer for offer in survey.offers if wish.engine in (AUTO_ENGINE, offer.name) and wish.model in ("", offer.model)
    ]
    # The separator that did not answer may have what is missing.
    return None if survey.is_partial and not any(_stems_of(wish) <= set(offer.stems) for offer in offers) else offers


def with_model(offers: Sequence[EngineOffer] | None, wish: Wish) -> Wish:
    """The wish, with a model that has all stems where the first one may not. Where nobody answers, it stays as it is.

    Raises InvalidRequest if no single model gives all, or has nothing to hold the rest of the mix: better now than
    after a long separation.
    """
    if not offers:
        return wish
    able = [offer for offer in offers if _stems_of(wish) <= set(offer.stems)]
    if not able:
        there = "; ".join(f"{offer.model}: {', '.join(offer.stems)}" for offer in offers)
        message = f"no model gives {', '.join(wish.delivery.stems)}; there are {there}"
        raise InvalidRequest(message)
    if not wish.model and _stems_of(wish) <= set(BASE_STEMS):
        return wish  # every model that is taken unasked has those
    return replace(wish, model=_summing(able, wish).model)


def may_be_taken(offers: Sequence[EngineOffer] | None, wish: Wish) -> bool:
    """Whether anything that the wish allows would do the work, as far as that can be told now.

    An engine that costs money does none without a cap.
    """
    return offers is None or any(offer.cloud is None or wish.cloud_minutes > 0.0 for offer in offers)


def _stems_of(wish: Wish) -> set[str]:
    """The stems that have to be stored for it."""
    return {VOCALS if stem in DERIVED_STEMS else stem for stem in wish.delivery.stems}


def _summing(able: Sequence[EngineOffer], wish: Wish) -> EngineOffer:
    """The first model whose stems can sum to the mix, if they shall. Raises InvalidRequest if none can."""
    found = next((offer for offer in able if OTHER in offer.stems or not wish.sum_to_mix), None)
    if found is None:
        there = "; ".join(f"{offer.model}: {', '.join(offer.stems)}" for offer in able)
        message = f"no stem {OTHER} to hold the rest of the mix ({there}): ask with {NO_SUM_FLAG}"
        raise InvalidRequest(message)
    return found
