"""The door to the choice: what it looks up, what it remembers, and which known results stand."""

from dataclasses import replace

import pytest

from services.router.core.cache import wish_of
from services.router.core.choices import EngineChooser, Situation
from services.router.core.policy import LargeFilePolicy, Policy
from stemhouse.errors import EngineUnavailable
from stemhouse.jobs import EngineOffer, Preset, SeparationRequest
from tests.fakes_cloud import ACCOUNT, LALAL
from tests.fakes_router import DEMUCS, STARTER, FakeSeparators, source

URGENT = SeparationRequest(source(), is_vocals_only=True, priority=0, cloud_minutes=50.0)
TRACK = Situation(duration_s=180.0)


class FakeBudget:
    """As much room as the test says; notes who asked."""

    def __init__(self) -> None:
        self.minutes = 100.0
        self.asked: list[tuple[str, str, float]] = []

    def room(self, account: str, batch_id: str, request_minutes: float) -> float:
        """See Room.room."""
        self.asked.append((account, batch_id, request_minutes))
        return self.minutes


class House:
    """A chooser on fakes."""

    def __init__(self, *offers: EngineOffer, policy: Policy | None = None) -> None:
        self.separators = FakeSeparators(offers)
        self.budget = FakeBudget()
        self.now_s = 0.0
        self.chooser = EngineChooser(self.separators, self.budget, policy or Policy(), now_s=lambda: self.now_s)

    def chosen(self) -> str:
        """The engine of a usual track."""
        return self.chooser.choose(SeparationRequest(source()), TRACK).engine


def test_engine_that_fails_again_and_again_rests_and_is_tried_by_one_track() -> None:
    """The next one does the work meanwhile; a look at what would be chosen is no trial."""
    house = House(DEMUCS, STARTER)
    for _ in range(3):
        assert house.chosen() == "demucs"
        house.chooser.note_failure(DEMUCS.engine_id)
    assert house.chosen() == "starter"
    house.now_s = house.chooser.policy.breaker.rest_s
    assert house.chooser.preview(SeparationRequest(source()), TRACK).engine == "demucs"
    assert [house.chosen(), house.chosen()] == ["demucs", "starter"]
    house.chooser.note_success(DEMUCS.engine_id)
    assert [house.chosen(), house.chosen()] == ["demucs", "demucs"]


def test_books_are_opened_only_for_tracks_with_a_cap() -> None:
    """By the account of the offer, the batch, and the cap of the request."""
    house = House(DEMUCS, LALAL)
    house.chosen()
    assert house.budget.asked == []
    assert house.chooser.choose(URGENT, replace(TRACK, batch_id="b1")).engine == "lalal"
    assert house.budget.asked == [(ACCOUNT, "b1", 50.0)]


def test_track_that_nobody_has_decoded_counts_at_its_longest() -> None:
    """A WAV of a megabyte may be two minutes of narrow speech, and cost four times that."""
    house = House(DEMUCS, LALAL)
    request = replace(URGENT, source=replace(source(), size_bytes=1_000_000))
    house.budget.minutes = 8.34
    assert house.chooser.preview(request, Situation(1_000_000)).engine == "lalal"
    house.budget.minutes = 8.33
    assert house.chooser.preview(request, Situation(1_000_000)).engine == "demucs"
    assert house.chooser.preview(request, Situation(1_000_000, duration_s=5.0)).engine == "lalal"


def stands(house: House, request: SeparationRequest, offer: EngineOffer) -> bool:
    """Whether a result of an engine still answers a request."""
    return house.chooser.would_stand(request, 180.0, offer.engine_id)


def test_result_stands_while_its_engine_would_be_chosen() -> None:
    """A rest is no reason to do it anew, nor an engine of a separator that is silent."""
    house = House(DEMUCS, STARTER)
    request = SeparationRequest(source())
    assert stands(house, request, DEMUCS)
    assert not stands(house, request, STARTER)
    for _ in range(3):
        house.chooser.note_failure(DEMUCS.engine_id)
    assert stands(house, request, DEMUCS)
    house.separators.offered, house.separators.is_partial = [STARTER], True
    assert stands(house, request, DEMUCS)


def test_what_was_paid_for_stands_when_nothing_is_left_and_what_was_not_makes_room() -> None:
    """Nobody loses the better result to an empty account, nor repeats the other one while it is empty."""
    house = House(DEMUCS, LALAL)
    assert (stands(house, URGENT, LALAL), stands(house, URGENT, DEMUCS)) == (True, False)
    house.budget.minutes = 0.0
    assert (stands(house, URGENT, LALAL), stands(house, URGENT, DEMUCS)) == (True, True)


def test_nothing_to_choose_from_is_told_to_the_cache() -> None:
    """Which lets results stand then."""
    house = House()
    with pytest.raises(EngineUnavailable):
        stands(house, SeparationRequest(source()), DEMUCS)


def test_wish_has_what_may_change_the_choice_and_nothing_else() -> None:
    """Of a request that names its engine or model, only these; the policy's thresholds otherwise."""
    policy = Policy()
    usual = SeparationRequest(source())
    assert wish_of(usual, policy) == f"auto-policy{policy.digest}-sum"
    others = [
        replace(usual, preset=Preset.BEST),
        replace(usual, is_difficult=True),
        replace(usual, cloud_minutes=1.0),
        replace(URGENT, cloud_minutes=1.0),
        replace(usual, sum_to_mix=False),
    ]
    wishes = {wish_of(request, policy) for request in [usual, *others]}
    wishes.add(wish_of(usual, Policy(large_files=LargeFilePolicy(1))))
    assert len(wishes) == len(others) + 2
    assert wish_of(replace(URGENT, cloud_minutes=0.0), policy) == f"{wish_of(usual, policy)}-vocals"
    named = replace(URGENT, engine="demucs", preset=Preset.BEST, is_difficult=True)
    assert wish_of(named, policy) == "demucs-sum-vocals"
    assert wish_of(replace(named, engine="auto", model="mine", sum_to_mix=False), policy) == "auto.mine-raw-vocals"
