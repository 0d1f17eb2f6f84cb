"""Which engine is chosen, and that the reasons say so."""

from dataclasses import replace

import pytest

from services.router.core.routing import Failure, choose_engine
from stemhouse.errors import EngineUnavailable, Unavailable
from stemhouse.jobs import Decision, EngineOffer, EngineSurvey, SeparationRequest
from tests.fakes_router import DEMUCS, NO_DEMUCS, STARTER, source

SIX = replace(DEMUCS, model="htdemucs_6s", engine_id="demucs-htdemucs_6s-22222222")


CUT = Failure(Decision("demucs", DEMUCS.engine_id, ()), "the model htdemucs cannot be used: cut")


def offered(*offers: EngineOffer) -> EngineSurvey:
    """Nothing is missing."""
    return EngineSurvey(offers)


def test_named_engine_is_taken_even_if_a_better_one_is_offered() -> None:
    """A wish for the starter beats the preference for demucs."""
    decision = choose_engine(SeparationRequest(source(), engine="starter"), offered(DEMUCS, STARTER))
    assert (decision.engine, decision.engine_id) == ("starter", STARTER.engine_id)
    assert decision.reasons == ("engine starter was asked for",)


def test_auto_prefers_demucs_whatever_the_order_of_offers() -> None:
    """The preference decides, not the order in which separators answered."""
    assert choose_engine(SeparationRequest(source()), offered(STARTER, DEMUCS)).engine == "demucs"


@pytest.mark.parametrize("engine", ["auto", "demucs"])
def test_without_a_model_named_the_first_of_an_engine_is_taken(engine: str) -> None:
    """Separators list an engine's best model first."""
    decision = choose_engine(SeparationRequest(source(), engine=engine), offered(STARTER, DEMUCS, SIX))
    assert decision.engine_id == DEMUCS.engine_id


def test_default_model_is_taken_wherever_it_stands() -> None:
    """The separator that has it may be the last one to be asked; without it, the first of the engine counts."""
    other = replace(SIX, model="mine", engine_id="demucs-mine-33333333")
    request = SeparationRequest(source())
    assert choose_engine(request, offered(SIX, other, DEMUCS)).engine_id == DEMUCS.engine_id
    assert choose_engine(request, offered(SIX, other)).engine_id == SIX.engine_id


@pytest.mark.parametrize("engine", ["auto", "demucs"])
def test_named_model_is_taken_and_told(engine: str) -> None:
    """Also where the engine is left open: the model says which it is."""
    decision = choose_engine(SeparationRequest(source(), engine=engine, model=SIX.model), offered(DEMUCS, SIX))
    assert decision.engine_id == SIX.engine_id
    assert "model htdemucs_6s was asked for" in " ".join(decision.reasons)


@pytest.mark.parametrize("engine", ["auto", "demucs"])
def test_model_that_is_not_installed_is_unavailable_and_names_the_command(engine: str) -> None:
    """Nobody gets another model than was asked for."""
    request = SeparationRequest(source(), engine=engine, model=SIX.model)
    with pytest.raises(EngineUnavailable, match=r"stemhouse models pull htdemucs_6s.*htdemucs.*starter"):
        choose_engine(request, offered(DEMUCS, STARTER))


def test_auto_with_only_the_starter_says_what_is_missing_and_that_it_is_basic() -> None:
    """Nobody gets basic quality without being told why, and what would help."""
    reasons = choose_engine(SeparationRequest(source()), EngineSurvey((STARTER,), (NO_DEMUCS,))).reasons
    assert reasons[0] == (
        "auto: demucs cannot be used: no model is installed; get it with: stemhouse models pull htdemucs"
    )
    assert "basic quality" in reasons[-1]


def test_auto_passes_over_a_model_that_lacks_base_stems() -> None:
    """Whoever asks for nothing special gets four stems."""
    karaoke = replace(DEMUCS, model="karaoke", stems=("vocals", "other"), engine_id="demucs-karaoke-33333333")
    assert choose_engine(SeparationRequest(source()), offered(karaoke, STARTER)).engine == "starter"
    named = SeparationRequest(source(), model="karaoke")
    assert choose_engine(named, offered(karaoke, STARTER)).engine_id == karaoke.engine_id


def test_model_of_another_engine_is_told_whose_it_is() -> None:
    """It is there, so no command would help."""
    with pytest.raises(EngineUnavailable, match="htdemucs is of demucs, not of starter"):
        choose_engine(SeparationRequest(source(), engine="starter", model="htdemucs"), offered(DEMUCS, STARTER))


def test_engine_without_a_model_is_unavailable_and_names_the_command() -> None:
    """The gap says which."""
    with pytest.raises(EngineUnavailable, match=r"engine demucs .*stemhouse models pull htdemucs.*offered: starter"):
        choose_engine(SeparationRequest(source(), engine="demucs"), EngineSurvey((STARTER,), (NO_DEMUCS,)))


@pytest.mark.parametrize("engine", ["auto", "uvr"])
def test_engine_that_nobody_offers_is_unavailable_and_lists_the_offers(engine: str) -> None:
    """The error names the engine and what could be asked for instead."""
    offers = [] if engine == "auto" else [STARTER]
    with pytest.raises(EngineUnavailable, match=f"engine {engine} .* offered: {'none' if not offers else 'starter'}"):
        choose_engine(SeparationRequest(source(), engine=engine), offered(*offers))


@pytest.mark.parametrize(("engine", "model"), [("demucs", ""), ("auto", SIX.model), ("demucs", SIX.model)])
def test_what_a_silent_separator_may_have_is_worth_another_try(engine: str, model: str) -> None:
    """Plain Unavailable: the job waits, and the gap of those that answer is told."""
    partial = EngineSurvey((STARTER,), (NO_DEMUCS,), is_partial=True)
    with pytest.raises(Unavailable, match="a separator that does not answer may have it") as caught:
        choose_engine(SeparationRequest(source(), engine=engine, model=model), partial)
    assert type(caught.value) is Unavailable


def test_model_of_another_engine_is_refused_even_while_a_separator_is_silent() -> None:
    """No answer could change it."""
    request = SeparationRequest(source(), engine="starter", model=DEMUCS.model)
    with pytest.raises(EngineUnavailable, match="htdemucs is of demucs"):
        choose_engine(request, EngineSurvey((DEMUCS, STARTER), is_partial=True))


def test_auto_goes_on_without_a_silent_separator_and_says_so() -> None:
    """Nobody waits for an engine that he did not ask for."""
    decision = choose_engine(SeparationRequest(source()), EngineSurvey((STARTER,), is_partial=True))
    assert decision.engine == "starter"
    assert "auto: a separator did not answer, so what it offers was not considered" in decision.reasons


def test_what_failed_is_not_chosen_again_and_is_told_first() -> None:
    """Though it is still offered: next its engine's other models, then the next engine."""
    request = SeparationRequest(source())
    assert choose_engine(request, offered(DEMUCS, SIX, STARTER), [CUT]).engine_id == SIX.engine_id
    decision = choose_engine(request, offered(DEMUCS, STARTER), [CUT])
    assert (decision.engine, decision.reasons[0]) == ("starter", f"auto: {CUT.cause}")
    assert "demucs is not offered" not in " ".join(decision.reasons)


def test_when_everything_failed_the_causes_are_told() -> None:
    """Rather than that there is nothing."""
    with pytest.raises(EngineUnavailable, match=CUT.cause):
        choose_engine(SeparationRequest(source()), offered(DEMUCS), [CUT])
