"""Plans of separations: time, disk and cost, and nothing done."""

import io
from dataclasses import replace

import pytest

from services.router.core.plans import SeparationPlans
from stemhouse.errors import BudgetExceeded, EngineUnavailable, InputRejected, Unavailable, UnreadableAudio
from stemhouse.footprint import SCRATCH_BYTES_PER_S, stored_bytes_per_s
from stemhouse.jobs import SeparationRequest
from tests.fakes_cloud import ACCOUNT, LALAL
from tests.fakes_router import DEMUCS, STARTER, FakeSpeeds, audio, source
from tests.unit.router.test_pipeline import FLAC, House

SONG = replace(source(), size_bytes=44_100 * 4 * 60)
"""A minute of a CD, if it is what WAV files usually are; eleven times that if it is the narrowest of them."""

REQUEST = SeparationRequest(SONG)


class Planning(House):
    """A router's core on fakes, with speeds that the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.separators.offered = [DEMUCS, STARTER, LALAL]
        self.speeds = FakeSpeeds()
        self.plans = SeparationPlans(self.pipeline, self.chooser, self.speeds, self.cloud)


@pytest.fixture
def house() -> Planning:
    """A fresh one."""
    return Planning()


def test_plan_of_an_unknown_file_goes_by_its_size(house: Planning) -> None:
    """Engine, reasons and followers as a job would have them; the time by the policy's figure; nothing is done."""
    plan = house.plans.plan(REQUEST, None)
    assert (plan.decision.engine, plan.decision.fallbacks) == ("demucs", (STARTER.engine_id,))
    assert (plan.duration_s, plan.is_duration_guessed) == (60.0, True)
    assert plan.expected_s == 60.0 / house.chooser.policy.speeds["demucs"]
    assert plan.store_bytes == round(60 * stored_bytes_per_s(4))
    assert plan.scratch_bytes == round(60 * SCRATCH_BYTES_PER_S)
    assert (plan.cloud_minutes, plan.is_known) == (0.0, False)
    assert not house.separators.ingested
    assert not house.jobs.queued


def test_length_is_that_of_the_caller_unless_the_file_was_decoded(house: Planning) -> None:
    """Whoever has decoded it knows best."""
    told = house.plans.plan(REQUEST, 90.0)
    assert (told.duration_s, told.is_duration_guessed) == (90.0, False)
    house.uploads.held.add(SONG)
    house.run(SeparationRequest(SONG, engine="starter"))
    assert house.plans.plan(REQUEST, 90.0).duration_s == 10.0


def test_time_is_by_the_results_of_the_engine_where_there_are_any(house: Planning) -> None:
    """The policy's figure is for a processor: another device has none before."""
    house.speeds.by_engine[DEMUCS.engine_id] = 4.0
    assert house.plans.plan(REQUEST, 60.0).expected_s == 15.0
    house.speeds.by_engine.clear()
    house.separators.offered = [replace(DEMUCS, device="cuda")]
    assert house.plans.plan(REQUEST, 60.0).expected_s is None


def test_known_result_costs_nothing(house: Planning) -> None:
    """Its own decision is told; a plan by force, or with true stems to measure against, is one of work."""
    house.uploads.held.add(SONG)
    house.run(REQUEST)
    plan = house.plans.plan(REQUEST, None)
    assert (plan.is_known, plan.expected_s, plan.store_bytes, plan.scratch_bytes) == (True, 0.0, 0, 0)
    assert plan.decision.engine == "demucs"
    assert not house.plans.plan(replace(REQUEST, force=True), None).is_known
    assert not house.plans.plan(replace(REQUEST, references={"vocals": SONG}), None).is_known


def test_cost_is_the_most_that_the_file_can_hold(house: Planning) -> None:
    """Of a length that is only guessed, the upper bound; a second go after a low score counts, too."""
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=1000.0)
    named = replace(REQUEST, engine="lalal", cloud_minutes=100.0)
    assert house.plans.plan(named, 60.0).cloud_minutes == 4.0
    assert house.plans.plan(named, None).cloud_minutes == 88.2
    assert house.plans.plan(replace(REQUEST, cloud_minutes=100.0), 60.0).cloud_minutes == 4.0
    with pytest.raises(BudgetExceeded, match=r"--cloud-minutes 88\.20"):
        house.plans.plan(replace(named, cloud_minutes=0.0), None)
    assert house.plans.plan(replace(named, cloud_minutes=5.0), None).cloud_minutes == 5.0  # no more is ever spent


def test_plan_of_a_cloud_engine_is_refused_as_its_job_would_be(house: Planning) -> None:
    """By the account, the day, or the cap of the track; of a length that is guessed only where nothing is left."""
    named = replace(REQUEST, engine="lalal", cloud_minutes=3.0)
    for duration_s in (60.0, None):
        with pytest.raises(BudgetExceeded, match="stemhouse cloud allow"):
            house.plans.plan(named, duration_s)
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=3.5)
    with pytest.raises(BudgetExceeded, match=r"4\.00 minutes .* 3\.00 are left: the cap of this track"):
        house.plans.plan(named, 60.0)
    assert house.plans.plan(named, None).is_duration_guessed
    with pytest.raises(BudgetExceeded, match=r"3\.50 are left: the account's cap for a day"):
        house.plans.plan(replace(named, cloud_minutes=9.0), 60.0)
    assert account_is_untouched(house)


def account_is_untouched(house: Planning) -> bool:
    """A plan reserves nothing."""
    (known,) = house.cloud.accounts()
    return known.minutes_today == 0.0


def test_open_order_of_a_track_is_no_obstacle_to_its_plan(house: Planning) -> None:
    """Its job would go on with it, whatever else is left."""
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=1.0)
    house.uploads.held.add(SONG)
    house.separators.refusals = {LALAL.engine_id: Unavailable("gone")}
    named = SeparationRequest(SONG, engine="lalal", cloud_minutes=1.0)
    with pytest.raises(Unavailable):
        house.run(named)
    assert house.cloud.accounts()[0].minutes_uncertain == 0.67
    house.store.put(audio().object_key, io.BytesIO(FLAC))  # as a separator that decodes it does
    assert house.plans.plan(named, None).cloud_minutes == 0.67


def test_plan_says_what_a_job_would_fail_with(house: Planning) -> None:
    """A file that could not be decoded before, and an engine that nobody has."""
    house.results.record_rejected(SONG, UnreadableAudio("not audio"))
    with pytest.raises(InputRejected, match="not audio"):
        house.plans.plan(REQUEST, None)
    with pytest.raises(EngineUnavailable, match="uvr"):
        house.plans.plan(SeparationRequest(source("b"), engine="uvr"), None)


@pytest.mark.parametrize(
    ("name", "usual_s"),
    [("a.wav", 10.0), ("a.AIFF", 10.0), ("a.flac", 14.3), ("a.mp3", 55.1), ("a.opus", 110.2), ("a", 55.1)],
)
def test_guess_of_the_length_goes_by_the_kind_of_file(house: Planning, name: str, usual_s: float) -> None:
    """An unknown kind counts as one that loses samples."""
    file = replace(SONG, file_name=name, size_bytes=44_100 * 4 * 10)
    assert round(house.plans.plan(SeparationRequest(file), None).duration_s, 1) == usual_s
