"""Which engine is chosen, and that the reasons say so: one case for each rule, and one for each tie of two rules."""

import itertools
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from services.router.core.policy import DifficultPolicy, LargeFilePolicy, Policy, RetryPolicy
from services.router.core.routing import decide, decide_again, most_minutes, why_not_again
from services.router.core.scene import Failure, Scene
from stemhouse.audio import QualityReport, StemQuality
from stemhouse.errors import BudgetExceeded, EngineUnavailable, Unavailable
from stemhouse.jobs import Attempt, Decision, EngineOffer, EngineSurvey, Preset, SeparationRequest
from stemhouse.vocab import BASE_STEMS, VOCALS, QualityStatus
from tests.fakes_cloud import ACCOUNT, LALAL
from tests.fakes_router import DEMUCS, NO_DEMUCS, STARTER, source

SIX = replace(DEMUCS, model="htdemucs_6s", engine_id="demucs-htdemucs_6s-22222222")
TUNED = replace(DEMUCS, model="htdemucs_ft", engine_id="demucs-htdemucs_ft-55555555")
ON_GPU = replace(DEMUCS, engine_id="demucs-htdemucs-11111111-fp16", device="cuda:0")
SIX_ON_GPU = replace(SIX, engine_id="demucs-htdemucs_6s-22222222-fp16", device="cuda:0")
UVR = EngineOffer("uvr", "roformer", "uvr-roformer-44444444", BASE_STEMS, "standard", "cpu")
ALL = (DEMUCS, STARTER, UVR, LALAL)
MB = 1_000_000
ROOM = {ACCOUNT: 100.0}
URGENT = {"is_vocals_only": True, "priority": 0, "cloud_minutes": 50.0}


CUT = Failure(Decision("demucs", DEMUCS.engine_id, ()), "the model htdemucs cannot be used: cut")


def wish(**values: Any) -> SeparationRequest:
    """A request for `auto`, but for what is said."""
    return SeparationRequest(source(), **values)


def scene(*offers: EngineOffer, **values: Any) -> Scene:
    """Nothing is missing, nothing has failed, and a track of three minutes."""
    gaps = values.pop("gaps", ())
    is_partial = values.pop("is_partial", False)
    return Scene(EngineSurvey(offers, gaps, is_partial), longest_s=values.pop("longest_s", 180.0), **values)


def score(si_sdr_db: float | None = 1.0, *, calibration_id: str = "c1", is_measured: bool = False) -> QualityReport:
    """What is thought of the vocals."""
    if is_measured:
        vocals = StemQuality(VOCALS, QualityStatus.MEASURED, si_sdr_db=si_sdr_db)
    else:
        vocals = StemQuality(VOCALS, QualityStatus.ESTIMATED, estimated_si_sdr_db=si_sdr_db)
    return QualityReport("estimate", (vocals,), calibration_id=calibration_id)


def first_go(offer: EngineOffer, quality: QualityReport | None = None) -> Attempt:
    """An engine's result with a low score that data stands behind, or another one."""
    return Attempt(Decision(offer.name, offer.engine_id, ()), quality or score(), is_accepted=True)


RULES: dict[str, tuple[dict[str, Any], dict[str, Any], list[EngineOffer]]] = {
    # name: (wish, scene, engines in order; what is not listed is not taken at all)
    "usual": ({}, {}, [DEMUCS, UVR, STARTER]),
    "fast": ({"preset": Preset.FAST}, {}, [STARTER, DEMUCS, UVR]),
    "best": ({"preset": Preset.BEST}, {}, [UVR, DEMUCS, STARTER]),
    "just below large": ({}, {"size_bytes": 50 * MB - 1}, [DEMUCS, UVR, STARTER]),
    "large": ({}, {"size_bytes": 50 * MB}, [DEMUCS, STARTER]),
    "large, in a batch": ({}, {"size_bytes": 50 * MB, "is_in_batch": True}, [DEMUCS, UVR]),
    "batch": ({}, {"is_in_batch": True}, [DEMUCS, UVR]),
    "fast, in a batch": ({"preset": Preset.FAST}, {"is_in_batch": True}, [DEMUCS, UVR]),
    "difficult": ({"is_difficult": True}, {}, [UVR, DEMUCS, STARTER]),
    "difficult and fast": ({"is_difficult": True, "preset": Preset.FAST}, {}, [UVR, STARTER, DEMUCS]),
    "difficult and large": ({"is_difficult": True}, {"size_bytes": 80 * MB}, [DEMUCS, STARTER]),
    "urgent vocals": (URGENT, {"rooms": ROOM}, [LALAL, DEMUCS, UVR, STARTER]),
    "urgent vocals, large": (URGENT, {"rooms": ROOM, "size_bytes": 80 * MB}, [LALAL, DEMUCS, STARTER]),
    "urgent and difficult": (URGENT | {"is_difficult": True}, {"rooms": ROOM}, [LALAL, UVR, DEMUCS, STARTER]),
    "at the last urgent place": (URGENT | {"priority": 20}, {"rooms": ROOM}, [LALAL, DEMUCS, UVR, STARTER]),
    "vocals, not urgent": (URGENT | {"priority": 21}, {"rooms": ROOM}, [DEMUCS, UVR, STARTER]),
    "urgent, all stems": (URGENT | {"is_vocals_only": False}, {"rooms": ROOM}, [DEMUCS, UVR, STARTER]),
    "urgent without a cap": (URGENT | {"cloud_minutes": 0.0}, {"rooms": ROOM}, [DEMUCS, UVR, STARTER]),
    "urgent, account not allowed": (URGENT, {}, [DEMUCS, UVR, STARTER]),
    "urgent, exact room": (URGENT, {"rooms": {ACCOUNT: 12.0}}, [LALAL, DEMUCS, UVR, STARTER]),
    "urgent, too little room": (URGENT, {"rooms": {ACCOUNT: 11.99}}, [DEMUCS, UVR, STARTER]),
    "urgent, nobody knows how long": (URGENT, {"rooms": ROOM, "longest_s": None}, [DEMUCS, UVR, STARTER]),
    "urgent, cloud rests": (URGENT, {"rooms": ROOM, "resting": frozenset({LALAL.engine_id})}, [DEMUCS, UVR, STARTER]),
    "one rests": ({}, {"resting": frozenset({DEMUCS.engine_id})}, [UVR, STARTER, DEMUCS]),
    "all rest": ({}, {"resting": frozenset(offer.engine_id for offer in ALL)}, [DEMUCS, UVR, STARTER]),
    "one failed": ({}, {"failures": [CUT]}, [UVR, STARTER]),
    "one failed, in a batch": ({}, {"failures": [CUT], "is_in_batch": True}, [UVR]),
}


@pytest.mark.parametrize("rule", RULES)
def test_auto_takes_engines_in_the_order_of_the_rules(rule: str) -> None:
    """Whatever the order in which separators answered; the reasons name the first one last."""
    wished, seen, expected = RULES[rule]
    for offers in itertools.permutations(ALL):
        decision = decide(wish(**wished), scene(*offers, **seen))
        assert (decision.engine_id, *decision.fallbacks) == tuple(offer.engine_id for offer in expected)
        assert decision.engine == expected[0].name
        assert any(expected[0].model in reason for reason in decision.reasons)
        assert all(f"auto: {engine.name} (" not in " ".join(decision.reasons) for engine in expected[1:])


REASONS: dict[str, tuple[dict[str, Any], Scene, str]] = {
    "nothing special": ({}, scene(DEMUCS, STARTER), "auto: demucs (htdemucs) is the best engine offered"),
    "size": ({}, scene(DEMUCS, size_bytes=62 * MB), "the file has 62 MB: demucs works through any length piece by"),
    "too large": ({"is_difficult": True}, scene(*ALL, size_bytes=62 * MB), "auto: uvr may not take a file of 62 MB"),
    "difficult": (
        {"is_difficult": True},
        scene(*ALL),
        "auto: uvr (roformer) is asked first, since the track is marked",
    ),
    "no engine for it": ({"is_difficult": True}, scene(DEMUCS), "auto: uvr is not set up here"),
    "urgent": (URGENT, scene(*ALL, rooms=ROOM), "is asked first: vocals alone are wanted, at priority 0"),
    "cost": (URGENT, scene(*ALL, rooms=ROOM), "lalal may take up to 12.00 minutes of the account"),
    "no cap": (URGENT | {"cloud_minutes": 0.0}, scene(*ALL), "auto: lalal is not asked: it sends the track away"),
    "no room": (URGENT, scene(*ALL), "it takes up to 12.00 minutes, and 0.00 may be spent (`stemhouse cloud` tells"),
    "resting": ({}, scene(*ALL, resting=frozenset({DEMUCS.engine_id})), "demucs has failed again and again and rests"),
    "nothing else": ({}, scene(DEMUCS, resting=frozenset({DEMUCS.engine_id})), "no other engine is left to try"),
    "a GPU": ({}, scene(DEMUCS, ON_GPU), "demucs runs on cuda:0, which goes before a processor"),
    "batch": ({"preset": Preset.FAST}, scene(*ALL, is_in_batch=True), "starter is never taken for a batch unless it"),
    "basic": ({}, scene(STARTER, gaps=(NO_DEMUCS,)), "starter is of basic quality"),
    "gap": ({}, scene(STARTER, gaps=(NO_DEMUCS,)), "installed; get it with: stemhouse models pull htdemucs"),
    "silent": ({}, scene(STARTER, is_partial=True), "auto: a separator did not answer, so what it offers was not"),
    "failed": ({}, scene(STARTER, failures=[CUT]), f"auto: {CUT.cause}"),
}


@pytest.mark.parametrize("case", REASONS)
def test_reasons_say_what_decided(case: str) -> None:
    """In sentences that whoever has asked understands, each once."""
    wished, seen, sentence = REASONS[case]
    reasons = decide(wish(**wished), seen).reasons
    assert sentence in " | ".join(reasons)
    assert len(set(reasons)) == len(reasons)


def test_engine_that_nobody_has_asked_for_is_not_missed() -> None:
    """That the second of an order is not there is no news: most people never will have it."""
    reasons = decide(wish(), scene(STARTER)).reasons
    assert "auto: demucs is not set up here" in reasons
    assert "uvr" not in " ".join(reasons)


def test_named_engine_is_taken_whatever_the_rules_say() -> None:
    """A wish for the starter beats the preference for demucs, the batch, and a rest; nothing follows it."""
    seen = scene(*ALL, is_in_batch=True, size_bytes=80 * MB, resting=frozenset({STARTER.engine_id}))
    decision = decide(wish(engine="starter", preset=Preset.BEST, is_difficult=True), seen)
    assert decision == Decision("starter", STARTER.engine_id, ("engine starter was asked for",))


def test_engine_that_no_rule_knows_is_taken_by_name_alone() -> None:
    """A separator may offer what this router has never heard of."""
    other = replace(UVR, name="mine", engine_id="mine-1")
    assert decide(wish(engine="mine"), scene(DEMUCS, other)).engine_id == "mine-1"
    assert "mine-1" not in decide(wish(), scene(DEMUCS, other)).fallbacks


@pytest.mark.parametrize(
    ("preset", "offers", "expected"),
    [
        (Preset.BALANCED, [SIX, TUNED, DEMUCS], [DEMUCS, SIX, TUNED]),
        (Preset.BEST, [SIX, DEMUCS, TUNED], [TUNED, DEMUCS, SIX]),
        (Preset.BEST, [SIX, DEMUCS], [DEMUCS, SIX]),
        (Preset.FAST, [TUNED, SIX], [TUNED, SIX]),
        (Preset.BALANCED, [DEMUCS, TUNED, ON_GPU], [ON_GPU, DEMUCS, TUNED]),
        (Preset.BALANCED, [SIX, TUNED, SIX_ON_GPU], [SIX_ON_GPU, SIX, TUNED]),
        (Preset.BEST, [TUNED, ON_GPU], [TUNED, ON_GPU]),
    ],
)
def test_models_that_the_preset_prefers_go_first_and_others_as_listed(
    preset: Preset, offers: list[EngineOffer], expected: list[EngineOffer]
) -> None:
    """The separator that has a preferred one may be the last to be asked; likewise where the engine is named.

    A GPU makes no model a better one, but it goes before a processor with the same one.
    """
    decision = decide(wish(preset=preset), scene(*offers))
    assert (decision.engine_id, *decision.fallbacks) == tuple(offer.engine_id for offer in expected)
    assert decide(wish(engine="demucs", preset=preset), scene(*offers)).engine_id == expected[0].engine_id


@pytest.mark.parametrize("engine", ["auto", "demucs"])
def test_named_model_is_taken_and_told(engine: str) -> None:
    """Also where the engine is left open: the model says which it is; no other one follows."""
    decision = decide(wish(engine=engine, model=SIX.model), scene(DEMUCS, SIX))
    assert (decision.engine_id, decision.fallbacks) == (SIX.engine_id, ())
    assert "model htdemucs_6s was asked for" in " ".join(decision.reasons)


@pytest.mark.parametrize("engine", ["auto", "demucs"])
def test_model_that_is_not_installed_is_unavailable_and_names_the_command(engine: str) -> None:
    """Nobody gets another model than was asked for."""
    with pytest.raises(EngineUnavailable, match=r"stemhouse models pull htdemucs_6s.*htdemucs.*starter"):
        decide(wish(engine=engine, model=SIX.model), scene(DEMUCS, STARTER))


def test_auto_passes_over_a_model_that_lacks_base_stems() -> None:
    """Whoever asks for nothing special gets four stems."""
    karaoke = replace(DEMUCS, model="karaoke", stems=("vocals", "other"), engine_id="demucs-karaoke-33333333")
    assert decide(wish(), scene(karaoke, STARTER)).engine == "starter"
    assert decide(wish(model="karaoke"), scene(karaoke, STARTER)).engine_id == karaoke.engine_id


def test_engine_that_leaves_stems_out_is_for_whoever_wants_vocals_alone() -> None:
    """And goes before the one of all stems then, whichever answered first; others keep their order."""
    alone = replace(TUNED, engine_id=f"{TUNED.engine_id}-vocals", stems=("vocals", "other"))
    for offers in itertools.permutations((TUNED, alone, DEMUCS)):
        for wanted in ({"engine": "demucs", "model": TUNED.model}, {"model": TUNED.model}, {"preset": Preset.BEST}):
            assert decide(wish(**wanted), scene(*offers)).engine_id == TUNED.engine_id
            assert decide(wish(**wanted, is_vocals_only=True), scene(*offers)).engine_id == alone.engine_id
        usual = decide(wish(is_vocals_only=True), scene(*offers))
        assert (usual.engine_id, *usual.fallbacks) == (DEMUCS.engine_id, alone.engine_id, TUNED.engine_id)
        assert set(decide(wish(), scene(*offers)).fallbacks) == {TUNED.engine_id}


def test_model_of_another_engine_is_told_whose_it_is() -> None:
    """It is there, so no command would help, nor the answer of a separator that is silent."""
    for is_partial in (False, True):
        with pytest.raises(EngineUnavailable, match="htdemucs is of demucs, not of starter"):
            decide(wish(engine="starter", model="htdemucs"), scene(DEMUCS, STARTER, is_partial=is_partial))


@pytest.mark.parametrize(
    ("wished", "seen", "message"),
    [
        ({"engine": "demucs"}, scene(STARTER, gaps=(NO_DEMUCS,)), r"engine demucs .*pull htdemucs.*offered: starter"),
        ({"engine": "uvr"}, scene(STARTER), "engine uvr is not available: it is not set up here; offered: starter"),
        ({}, scene(), "no engine is left that `auto` may take; offered: none"),
        ({}, scene(gaps=(NO_DEMUCS,)), "get demucs with: stemhouse models pull htdemucs; offered: none"),
        ({}, scene(STARTER, gaps=(NO_DEMUCS,), is_in_batch=True), r"pull htdemucs .*by name: --engine starter"),
        ({}, scene(DEMUCS, failures=[CUT]), CUT.cause),
        ({}, scene(LALAL, rooms=ROOM), "no engine is left that `auto` may take"),
    ],
)
def test_what_cannot_be_taken_is_unavailable_and_says_what_helps(
    wished: dict[str, Any], seen: Scene, message: str
) -> None:
    """The error names what is missing, the command that gets it, and what could be asked for instead."""
    with pytest.raises(EngineUnavailable, match=message):
        decide(wish(**wished), seen)


@pytest.mark.parametrize(("engine", "model"), [("demucs", ""), ("auto", SIX.model), ("demucs", SIX.model)])
def test_what_a_silent_separator_may_have_is_worth_another_try(engine: str, model: str) -> None:
    """Plain Unavailable: the job waits, and the gap of those that answer is told."""
    seen = scene(STARTER, gaps=(NO_DEMUCS,), is_partial=True)
    with pytest.raises(Unavailable, match="a separator that does not answer may have it") as caught:
        decide(wish(engine=engine, model=model), seen)
    assert type(caught.value) is Unavailable


@pytest.mark.parametrize(
    ("longest_s", "flag"), [(180.0, r"up to 12\.00 .*--cloud-minutes 12\.00"), (None, "minutes N")]
)
def test_cloud_engine_that_is_named_without_a_cap_is_refused_with_its_price(longest_s: float | None, flag: str) -> None:
    """Whoever names it is told what it can cost, and how to allow that; with a cap the router's books decide."""
    seen = scene(*ALL, longest_s=longest_s)
    with pytest.raises(BudgetExceeded, match=flag):
        decide(wish(engine="lalal"), seen)
    assert decide(wish(engine="lalal", cloud_minutes=1.0), seen).engine == "lalal"


RETRIES: dict[str, tuple[dict[str, Any], EngineOffer, dict[str, Any], QualityReport, list[EngineOffer]]] = {
    # name: (wish, the engine that was first, scene, its score, who tries again in order)
    "usual": ({}, DEMUCS, {}, score(), [UVR]),
    "uvr was first": ({}, UVR, {}, score(), [DEMUCS]),
    "the starter was first": ({}, STARTER, {}, score(), [UVR, DEMUCS]),
    "with a cap": ({"cloud_minutes": 50.0}, DEMUCS, {"rooms": ROOM}, score(), [UVR, LALAL]),
    "true stems": ({"cloud_minutes": 50.0}, DEMUCS, {"rooms": ROOM}, score(is_measured=True), [UVR, LALAL]),
    "no data": ({"cloud_minutes": 50.0}, DEMUCS, {"rooms": ROOM}, score(calibration_id=""), [UVR]),
    "no score": ({"cloud_minutes": 50.0}, DEMUCS, {"rooms": ROOM}, score(None), [UVR]),
    "starter, with a cap": ({"cloud_minutes": 50.0}, STARTER, {"rooms": ROOM}, score(), [UVR, DEMUCS]),
    "no room": ({"cloud_minutes": 50.0}, DEMUCS, {"rooms": {ACCOUNT: 1.0}}, score(), [UVR]),
    "batch": ({"cloud_minutes": 50.0}, DEMUCS, {"rooms": ROOM, "is_in_batch": True}, score(), [UVR, LALAL]),
    "large": ({}, DEMUCS, {"size_bytes": 80 * MB}, score(), []),
    "fast": ({"preset": Preset.FAST}, STARTER, {}, score(), []),
    "uvr rests": ({}, STARTER, {"resting": frozenset({UVR.engine_id})}, score(), [DEMUCS, UVR]),
    "named": ({"engine": "demucs"}, DEMUCS, {}, score(), []),
    "model named": ({"model": "htdemucs"}, DEMUCS, {}, score(), []),
}


@pytest.mark.parametrize("case", RETRIES)
def test_after_a_low_score_the_next_engine_tries(case: str) -> None:
    """Another one than the first, never the starter, and one that costs money only on a score worth it."""
    wished, first, seen, quality, expected = RETRIES[case]
    decision = decide_again(wish(**wished), scene(*ALL, **seen), first_go(first, quality))
    found = (decision.engine_id, *decision.fallbacks) if decision else ()
    assert found == tuple(offer.engine_id for offer in expected)
    assert decision is None or f"because the vocals of {first.name} are probably not clean" in decision.reasons[0]


@pytest.mark.parametrize(
    ("wished", "rooms", "quality", "told"),
    [
        ({"cloud_minutes": 50.0}, ROOM, score(calibration_id=""), "no data stands behind the scores of demucs"),
        ({}, {}, score(calibration_id=""), "no data stands behind the scores of demucs"),
        ({}, {}, score(), r"is not asked: .*--cloud-minutes"),
        ({"cloud_minutes": 50.0}, {ACCOUNT: 1.0}, score(), r"up to 12\.00 minutes, and 1\.00 may be spent"),
    ],
)
def test_engine_that_may_not_try_again_is_told_with_its_cause(
    wished: dict[str, Any], rooms: dict[str, float], quality: QualityReport, told: str
) -> None:
    """One that is not there is none of that; what no minutes could buy is not told as their lack."""
    request, seen, first = wish(**wished), scene(DEMUCS, STARTER, LALAL, rooms=rooms), first_go(DEMUCS, quality)
    assert decide_again(request, seen, first) is None
    (sentence,) = why_not_again(request, seen, first)
    assert sentence.startswith("lalal ")
    assert re.search(told, sentence)


def test_policy_says_who_tries_again() -> None:
    """The starter, too, if its owner wants that; in a batch not even then."""
    policy = Policy(retry=RetryPolicy(engines=("starter",)))
    again = decide_again(wish(), scene(*ALL, policy=policy), first_go(DEMUCS))
    assert again is not None
    assert again.engine == "starter"
    assert decide_again(wish(), scene(*ALL, policy=policy, is_in_batch=True), first_go(DEMUCS)) is None


def test_policy_moves_the_thresholds() -> None:
    """What is large, and who may take it; what a difficult track is given."""
    policy = Policy(large_files=LargeFilePolicy(10, ("starter",)), difficult=DifficultPolicy(("starter",)))
    assert decide(wish(), scene(*ALL, policy=policy, size_bytes=10)).engine == "starter"
    assert decide(wish(is_difficult=True), scene(*ALL, policy=policy, size_bytes=9)).engine == "starter"


def test_most_minutes_count_whatever_may_follow() -> None:
    """A second go after a low score costs as much as a first one; without a cap nothing does."""
    for wished, seen, minutes in (
        ({"cloud_minutes": 50.0}, scene(*ALL, rooms=ROOM), 12.0),
        (URGENT, scene(*ALL, rooms=ROOM), 12.0),
        ({"engine": "lalal", "cloud_minutes": 50.0}, scene(*ALL, rooms=ROOM), 12.0),
        ({"cloud_minutes": 50.0}, scene(*ALL, rooms={ACCOUNT: 1.0}), 0.0),
        ({"engine": "demucs", "cloud_minutes": 50.0}, scene(*ALL, rooms=ROOM), 0.0),
        ({"preset": Preset.FAST, "cloud_minutes": 50.0}, scene(*ALL, rooms=ROOM), 0.0),
        ({}, scene(*ALL, rooms=ROOM), 0.0),
    ):
        request = wish(**wished)
        assert most_minutes(request, seen, decide(request, seen)) == minutes


def some_request(chance: random.Random) -> SeparationRequest:
    """For `auto`, with or without a cap."""
    return wish(
        preset=chance.choice(list(Preset)),
        is_difficult=chance.random() < 0.5,
        is_vocals_only=chance.random() < 0.5,
        priority=chance.randrange(1001),
        cloud_minutes=chance.choice([0.0, 1e5]),
    )


def some_scene(chance: random.Random) -> Scene:
    """With an account that has room for everything; half of the policies ask the cloud first."""
    greedy = Policy(retry=RetryPolicy(engines=("lalal", "uvr", "demucs")))
    return scene(
        *chance.sample(ALL, chance.randint(1, 4)),
        policy=chance.choice([greedy, Policy()]),
        rooms={ACCOUNT: 1e5},
        is_in_batch=chance.random() < 0.5,
        resting=frozenset(offer.engine_id for offer in ALL if chance.random() < 0.2),
    )


def test_ten_thousand_low_scores_without_data_send_nothing_away() -> None:
    """Whatever the wish, the scene and the policy: scores of the starter, or uncalibrated ones, spend no money."""
    chance = random.Random(6)  # noqa: S311  cases, no secrets
    requests, scenes = [some_request(chance) for _ in range(100)], [some_scene(chance) for _ in range(100)]
    asked: list[Decision] = []
    worth_it: list[Decision] = []
    for request, seen in itertools.product(requests, scenes):
        first = chance.choice([STARTER, DEMUCS, UVR])
        calibration_id = chance.choice(["", "c1"]) if first is STARTER else ""
        low = score(chance.uniform(-60.0, 5.4), calibration_id=calibration_id)
        asked += filter(None, [decide_again(request, seen, first_go(first, low))])
        if len(asked) % 20 == 0:
            worth_it += filter(None, [decide_again(request, seen, first_go(DEMUCS))])
    assert len(asked) > 3000
    assert not [again for again in asked if LALAL.engine_id in (again.engine_id, *again.fallbacks)]
    assert any(LALAL.engine_id in (again.engine_id, *again.fallbacks) for again in worth_it)
