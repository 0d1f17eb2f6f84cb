"""The one second go that bad vocals get: when, by whom, what counts then, and what is said about it."""

from dataclasses import replace

import pytest

from services.router.core.choices import EngineChooser, Situation
from services.router.core.routing import may_try_again
from stemhouse.audio import QualityReport, StemQuality
from stemhouse.errors import (
    Cancelled,
    EngineFailed,
    InternalFault,
    StemhouseError,
    StorageUnavailable,
    Unavailable,
    WorkerDied,
)
from stemhouse.jobs import Attempt, CacheHit, Decision, EngineOffer, Preset, SeparationRequest, SeparationResult
from stemhouse.vocab import BASE_STEMS, VOCALS, JobState, QualityStatus, Stage
from tests.fakes_cloud import ACCOUNT, LALAL
from tests.fakes_router import DEMUCS, STARTER, job, source, stem_set
from tests.fakes_steps import Killed, RecordedSteps
from tests.unit.router.test_pipeline import FULL_WAY, House

UVR = EngineOffer("uvr", "roformer", "uvr-roformer-22222222", BASE_STEMS, "standard", "cpu")
WISH = SeparationRequest(source())
GOOD_DB, BAD_DB = 12.0, 2.0


class UvrSecond(EngineChooser):
    """Has uvr try again."""

    def preview_second(self, request: SeparationRequest, situation: Situation, first: Attempt) -> Decision | None:
        """Unless it was the first, or nobody may."""
        is_first = first.decision.engine_id == UVR.engine_id
        return (
            None
            if is_first or not may_try_again(request)
            else Decision(UVR.name, UVR.engine_id, ("it is the next one",))
        )


def heard(vocals_db: float, remix_db: float | None = None, calibration_id: str = "made-up") -> QualityReport:
    """What is thought of an engine's vocals."""
    vocals = StemQuality(
        VOCALS, QualityStatus.ESTIMATED, estimated_si_sdr_db=vocals_db, uncertainty_db=1.5, remix_db=remix_db
    )
    return QualityReport("mask-ambiguity", (vocals,), calibration_id=calibration_id)


@pytest.fixture
def house() -> House:
    """Demucs has the first go and bleeds; uvr tries again and does better; the starter hears both."""
    house = House(UvrSecond)
    house.separators.offered = [DEMUCS, UVR, STARTER]
    house.separators.heard = {DEMUCS.engine_id: heard(BAD_DB, 3.0), UVR.engine_id: heard(GOOD_DB, 9.0)}
    store_as_made(house)
    return house


def store_as_made(house: House) -> None:
    """Let the store have every result, as separators leave it there."""

    def store() -> None:
        task = house.separators.separated[-1]
        offer = next(offer for offer in house.separators.offered if offer.engine_id == task.engine_id)
        house.put_objects(stem_set("a", offer))

    house.separators.before_result = store


def folder_of(offer: EngineOffer) -> str:
    """Where an engine's result lies."""
    return stem_set("a", offer).stems[0].object_key.rpartition("/")[0] + "/"


def tried(house: House) -> list[str]:
    """Who has separated, in order."""
    return [task.engine_id for task in house.separators.separated]


def taken(result: SeparationResult) -> list[bool]:
    """Which of the attempts count."""
    return [attempt.is_accepted for attempt in result.attempts]


def test_track_that_bleeds_is_repaired_by_the_second_engine(house: House) -> None:
    """Both are told of, by the ears of one verifier; the loser's stems are gone, the mix is not."""
    result = house.run(WISH)
    assert tried(house) == [DEMUCS.engine_id, UVR.engine_id]
    assert (result.stem_set.engine, result.decision.engine, taken(result)) == ("uvr", "uvr", [False, True])
    assert house.separators.verified_by == ["", STARTER.engine_id, STARTER.engine_id]
    assert result.attempts[0].note == (
        "The vocals are probably not clean: about 2.0 dB, give or take 1.5, where 7 dB are wanted; "
        "uvr tried again and did better, so this one is not used."
    )
    assert result.attempts[1].note == (
        "Tried because the vocals of demucs were in doubt. Taken: in a mix made anew of its own stems, starter found "
        "its vocals again at 9.0 dB, those of demucs at 3.0 dB."
    )
    assert list(house.store.list_keys(folder_of(DEMUCS))) == []
    assert len(list(house.store.list_keys(folder_of(UVR)))) == 5
    assert list(house.store.list_keys("audio/"))


def test_repaired_track_is_a_cache_hit(house: House) -> None:
    """Though the engine that would be chosen first is another one."""
    first = house.run(WISH)
    again = house.run(WISH)
    assert (again.cache_hit, again.stem_set, again.attempts) == (CacheHit.FILE, first.stem_set, first.attempts)
    assert len(tried(house)) == 2


def test_worse_second_result_is_not_taken(house: House) -> None:
    """Not even if its own estimate is higher: one verifier has heard both. It is the loser then."""
    house.separators.heard[UVR.engine_id] = heard(GOOD_DB, 2.9)
    result = house.run(WISH)
    assert (result.stem_set.engine, taken(result)) == ("demucs", [True, False])
    assert result.attempts[0].note.endswith("uvr tried again and did no better, so this one is kept.")
    assert list(house.store.list_keys(folder_of(UVR))) == []
    assert len(list(house.store.list_keys(folder_of(DEMUCS)))) == 5


def test_good_vocals_are_not_tried_again_and_need_no_verifier(house: House) -> None:
    """What is clearly above the threshold costs nothing more."""
    house.separators.heard[DEMUCS.engine_id] = heard(GOOD_DB)
    result = house.run(WISH)
    assert (tried(house), house.separators.verified_by) == ([DEMUCS.engine_id], [""])
    assert [(attempt.is_accepted, attempt.note) for attempt in result.attempts] == [(True, "")]


@pytest.mark.parametrize(("vocals_db", "calibration_id"), [(7.5, "made-up"), (GOOD_DB, "")])
def test_verifier_is_asked_near_the_threshold_and_without_a_calibration(
    house: House, vocals_db: float, calibration_id: str
) -> None:
    """And nobody tries again where the vocals are good enough after that."""
    house.separators.heard[DEMUCS.engine_id] = heard(vocals_db, 9.0, calibration_id)
    result = house.run(WISH)
    assert house.separators.verified_by == ["", STARTER.engine_id]
    assert result.quality.verifier_id == STARTER.engine_id
    assert len(result.attempts) == 1


def test_verifier_is_left_in_peace_where_it_would_change_nothing() -> None:
    """Nobody else may try: then it is asked for a better figure than a borrowed one, and not in a batch."""
    house = House()
    house.separators.heard = {STARTER.engine_id: heard(BAD_DB), DEMUCS.engine_id: heard(BAD_DB, calibration_id="")}
    [alone] = house.run(WISH).attempts
    assert alone.note.endswith("where 7 dB are wanted; no other engine could try again.")
    house.separators.offered = [DEMUCS, STARTER]
    house.run(WISH, "batch-1")
    assert house.separators.verified_by == ["", ""]
    house.run(replace(WISH, force=True))
    assert house.separators.verified_by == ["", "", "", STARTER.engine_id]


def test_engine_that_is_there_and_may_not_try_again_is_told() -> None:
    """With the cause: its user may think that the minutes he allows would be spent."""
    house = House()
    house.separators.offered = [DEMUCS, STARTER, LALAL]
    house.separators.heard = {DEMUCS.engine_id: heard(BAD_DB, 3.0, calibration_id="")}
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=100.0)
    [alone] = house.run(replace(WISH, cloud_minutes=10.0)).attempts
    assert alone.note.endswith(
        "; no other engine could try again: lalal costs minutes, and no data stands behind the scores of demucs."
    )


def test_whoever_wants_it_fast_does_not_wait_for_a_second_engine() -> None:
    """The first one is much faster than what would follow; that it leaves doubts is told."""
    house = House()
    house.separators.offered = [DEMUCS, STARTER]
    house.separators.heard = {STARTER.engine_id: heard(BAD_DB, 3.0)}
    result = house.run(replace(WISH, preset=Preset.FAST))
    assert (tried(house), house.separators.verified_by) == ([STARTER.engine_id], [""])
    assert result.attempts[0].note.endswith("; --preset fast leaves it.")


def test_score_without_a_calibration_has_a_wider_margin(house: House) -> None:
    """The doubt is in its favour."""
    margin_db = house.chooser.policy.retry.uncalibrated_margin_db
    house.separators.heard[DEMUCS.engine_id] = heard(7.1 - margin_db, 3.0, "")
    assert len(house.run(WISH).attempts) == 1
    house.separators.heard[DEMUCS.engine_id] = heard(6.9 - margin_db, 3.0, "")
    assert len(house.run(replace(WISH, force=True)).attempts) == 2


@pytest.mark.parametrize("status", [QualityStatus.NOT_APPLICABLE, QualityStatus.MEASURED])
def test_vocals_that_cannot_be_judged_are_not_tried_again(house: House, status: QualityStatus) -> None:
    """An instrumental is no failure of an engine, and the reason is told."""
    vocals = StemQuality(VOCALS, status, note="no vocals were found")
    house.separators.heard[DEMUCS.engine_id] = QualityReport("none", (vocals,))
    result = house.run(WISH)
    assert (house.stages, tried(house)) == (FULL_WAY, [DEMUCS.engine_id])
    assert result.attempts[0].note == "No vocals were found."


@pytest.mark.parametrize("wish", [replace(WISH, engine="demucs"), replace(WISH, model="htdemucs")])
def test_engine_that_was_named_is_not_tried_again(house: House, wish: SeparationRequest) -> None:
    """Nobody gets another one than the one that he named; the estimate is told, and the verifier left in peace."""
    result = house.run(wish)
    assert (tried(house), house.separators.verified_by) == ([DEMUCS.engine_id], [""])
    assert result.quality.stems[0].estimated_si_sdr_db == BAD_DB
    assert result.attempts[0].note.startswith("The vocals are probably not clean: about 2.0 dB")
    house.separators.heard[DEMUCS.engine_id] = heard(BAD_DB, 3.0, calibration_id="")
    assert house.run(replace(wish, force=True)).quality.verifier_id == STARTER.engine_id
    assert tried(house) == [DEMUCS.engine_id] * 2


def test_second_engine_that_fails_leaves_the_first_result(house: House) -> None:
    """Whatever it fails of; and that is told."""
    for error in (EngineFailed("the service is out of order"), InternalFault("a defect")):
        house.separators.refusals = {UVR.engine_id: error}
        result = house.run(replace(WISH, force=True))
        assert (result.stem_set.engine, taken(result)) == ("demucs", [True, False])
        assert result.attempts[1].note == f"Uvr could not do this track: {error.message}."
        assert len(list(house.store.list_keys(folder_of(DEMUCS)))) == 5


def test_cancelling_the_second_go_ends_the_job(house: House) -> None:
    """It is no failure of the engine."""
    house.separators.refusals = {UVR.engine_id: Cancelled("cancelled")}
    with pytest.raises(Cancelled):
        house.run(WISH)


@pytest.mark.parametrize(
    "error", [EngineFailed("the model is cut"), WorkerDied("killed twice"), Unavailable("gave up"), InternalFault("!")]
)
def test_nobody_tries_again_where_nobody_can_compare(house: House, error: StemhouseError) -> None:
    """Without a verifier nobody could tell which result is better; the one that is there is not lost for that."""
    house.separators.refusals = {STARTER.engine_id: error}
    result = house.run(WISH)
    assert (tried(house), taken(result)) == ([DEMUCS.engine_id], [True])


@pytest.mark.parametrize(
    ("offers", "calibration_id", "is_paid"),
    [([LALAL, STARTER], "made-up", False), ([DEMUCS, LALAL, STARTER], "", False), ([DEMUCS, LALAL], "made-up", True)],
)
def test_money_is_spent_only_on_a_score_with_data_behind_it(
    offers: list[EngineOffer], calibration_id: str, *, is_paid: bool
) -> None:
    """Neither the starter's nor an uncalibrated one, though the account is allowed and the job has minutes enough."""
    house = House()
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=1000.0)
    house.separators.offered = offers
    house.separators.heard = {offer.engine_id: heard(BAD_DB, 3.0, calibration_id) for offer in offers}
    result = house.run(replace(WISH, cloud_minutes=1000.0))
    assert (LALAL.engine_id in tried(house)) is is_paid
    assert (house.cloud.accounts()[0].minutes_today, len(result.attempts)) == (0.0, 2 if is_paid else 1)


def test_losers_stems_stay_while_they_count_for_somebody(house: House) -> None:
    """For another wish, or for another job on the same audio that may be about to take them."""
    house.run(replace(WISH, engine="demucs"))
    house.run(WISH)
    assert len(list(house.store.list_keys(folder_of(DEMUCS)))) == 5


def test_loser_that_cannot_be_dropped_now_stays(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been accepted is not lost for that."""

    def refuse(_key: str) -> None:
        raise StorageUnavailable("the store takes nothing away")

    monkeypatch.setattr(house.store, "delete", refuse)
    assert taken(house.run(WISH)) == [False, True]


def test_losers_stems_stay_while_another_job_may_take_them(house: House) -> None:
    """It has looked them up already, perhaps."""
    house.jobs.create(job(replace(WISH, engine="demucs"), "other", "job-9"), is_queued=True)
    house.run(WISH)
    assert len(list(house.store.list_keys(folder_of(DEMUCS)))) == 5


def test_paid_losers_stems_stay_until_the_job_is_released() -> None:
    """Else the same would be paid for again."""
    house = House()
    store_as_made(house)
    house.separators.offered = [DEMUCS, LALAL, STARTER]
    house.separators.heard = {DEMUCS.engine_id: heard(BAD_DB, 3.0), LALAL.engine_id: heard(BAD_DB, 2.0)}
    house.separators.cloud_minutes = 0.5
    house.cloud.allow(ACCOUNT, is_allowed=True, minutes_per_day=1000.0)
    result = house.run(replace(WISH, cloud_minutes=1000.0))
    assert taken(result) == [True, False]
    assert len(list(house.store.list_keys(folder_of(LALAL)))) == 5
    house.jobs.finish("job-1", JobState.DONE, result=result)
    assert house.releases.release("job-1")
    assert list(house.store.list_keys("results/")) == []


def test_killed_router_repeats_no_finished_step(house: House) -> None:
    """At whichever step it is killed, every engine has one go, and the result is the same."""
    whole = RecordedSteps()
    expected = run(house, whole, "job-0")
    assert whole.stages[-3:] == [Stage.ASSESS, Stage.ACCEPT, Stage.ACCEPT]
    for step in range(1, len(whole.stages) + 1):
        fresh = House(UvrSecond)
        fresh.separators.offered, fresh.separators.heard = house.separators.offered, house.separators.heard
        store_as_made(fresh)
        steps = RecordedSteps(kills_after=step)
        with pytest.raises(Killed):
            run(fresh, steps, "job-1")
        steps.start_again()
        assert run(fresh, steps, "job-1") == expected
        assert (tried(fresh), len(fresh.separators.assessed)) == ([DEMUCS.engine_id, UVR.engine_id], 3)
        assert list(fresh.store.list_keys(folder_of(DEMUCS))) == []


def run(house: House, steps: RecordedSteps, job_id: str) -> SeparationResult:
    """A job, by steps that are recorded."""
    return house.pipeline.run(house.jobs.create(job(WISH, job_id, job_id), is_queued=True), steps)
