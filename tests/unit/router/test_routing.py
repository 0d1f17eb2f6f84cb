"""Which engine is chosen, and that the reasons say so."""

import pytest

from services.router.core.routing import choose_engine
from stemhouse.errors import EngineUnavailable
from stemhouse.jobs import SeparationRequest
from tests.fakes_router import DEMUCS, STARTER, source


def test_named_engine_is_taken_even_if_a_better_one_is_offered() -> None:
    """A wish for the starter beats the preference for demucs."""
    decision = choose_engine(SeparationRequest(source(), engine="starter"), [DEMUCS, STARTER])
    assert (decision.engine, decision.engine_id) == ("starter", STARTER.engine_id)
    assert decision.reasons == ("engine starter was asked for",)


def test_auto_prefers_demucs_whatever_the_order_of_offers() -> None:
    """The preference decides, not the order in which separators answered."""
    assert choose_engine(SeparationRequest(source()), [STARTER, DEMUCS]).engine == "demucs"


def test_auto_with_only_the_starter_says_what_is_missing_and_that_it_is_basic() -> None:
    """Nobody gets basic quality without being told why."""
    reasons = choose_engine(SeparationRequest(source()), [STARTER]).reasons
    assert reasons[0] == "auto: demucs is not offered by any separator"
    assert "basic quality" in reasons[-1]


@pytest.mark.parametrize("engine", ["auto", "uvr"])
def test_engine_that_nobody_offers_is_unavailable_and_lists_the_offers(engine: str) -> None:
    """The error names the engine and what could be asked for instead."""
    offers = [] if engine == "auto" else [STARTER]
    with pytest.raises(EngineUnavailable, match=f"engine {engine} .* offered: {'none' if not offers else 'starter'}"):
        choose_engine(SeparationRequest(source(), engine=engine), offers)
