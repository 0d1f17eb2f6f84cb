"""Which orders a batch takes in which state."""

from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from services.library.core.ports import FileStamp
from stemhouse.batches import BatchCounts, BatchState, ItemState
from stemhouse.cloud import CloudTerms
from stemhouse.errors import (
    BudgetExceeded,
    EngineUnavailable,
    InvalidRequest,
    NotFound,
    RequestConflict,
    Unavailable,
    UnreadableAudio,
)
from stemhouse.jobs import EngineSurvey, JobError
from tests.unit.library.batch_world import World, spec
from tests.unit.library.fake_separations import DEMUCS, NO_DEMUCS, STARTER


@pytest.fixture
def world() -> World:
    """Three tracks."""
    return World(3)


def test_same_request_starts_one_batch(world: World) -> None:
    """Even after the library has changed; another spec under its id is a conflict."""
    first = world.orders.start("r", spec())
    world.files.add("/music/new.mp3")
    assert world.orders.start("r", spec()) == first
    assert first.counts == BatchCounts(waiting=3)
    assert world.woken == [first.batch_id] * 2
    with pytest.raises(RequestConflict):
        world.orders.start("r", spec(force=True))


def test_start_makes_the_output_folder(world: World) -> None:
    """If it is gone later, its volume is."""
    world.start()
    assert world.disks.made == ["/out/stems"]


def test_unknown_batch_is_not_found(world: World) -> None:
    """By whatever order."""
    orders = world.orders
    for order in (orders.batch, orders.pause, orders.resume, orders.cancel, orders.retry):
        with pytest.raises(NotFound):
            order("nobody")
    with pytest.raises(NotFound):
        orders.items("nobody", (), 0, "")


def test_orders_that_are_repeated_change_nothing(world: World) -> None:
    """Nor are they errors."""
    batch_id = world.start()
    for order in (world.orders.resume, world.orders.pause, world.orders.resume, world.orders.cancel):
        once = order(batch_id)
        assert order(batch_id) == once


def test_order_for_a_final_batch_says_its_state(world: World) -> None:
    """What is done cannot be paused, resumed or cancelled."""
    batch_id = world.start()
    world.process(batch_id)
    for order in (world.orders.pause, world.orders.resume, world.orders.cancel):
        with pytest.raises(
            InvalidRequest, match=r"is done and cannot be .* `stemhouse batch /music --output /out/stems`"
        ):
            order(batch_id)


def test_cancelled_batch_is_neither_paused_nor_resumed(world: World) -> None:
    """It can be retried."""
    batch_id = world.start()
    world.orders.cancel(batch_id)
    for order in (world.orders.pause, world.orders.resume):
        with pytest.raises(InvalidRequest, match=f"is cancelled .*`stemhouse batch retry {batch_id}`"):
            order(batch_id)
    retried = world.orders.retry(batch_id)
    assert (retried.state, retried.counts, retried.ended_at) == (BatchState.RUNNING, BatchCounts(waiting=3), None)


def test_paused_batch_is_cancelled(world: World) -> None:
    """Without its driver."""
    batch_id = world.start()
    world.orders.pause(batch_id)
    assert world.orders.cancel(batch_id).counts == BatchCounts(cancelled=3)


def test_retry_without_failures_leaves_a_batch_as_it_is(world: World) -> None:
    """It is done, and stays so."""
    batch_id = world.start()
    world.process(batch_id)
    done = world.orders.batch(batch_id)
    assert world.orders.retry(batch_id) == done


def test_sequence_grows_with_each_change(world: World) -> None:
    """So that watchers can tell what they have seen."""
    batch_id = world.start()
    orders = (world.orders.batch, world.orders.pause, world.orders.resume, world.orders.cancel, world.orders.retry)
    sequences = [order(batch_id).sequence for order in orders]
    assert sequences == sorted(set(sequences))


def test_items_are_listed_page_by_page_and_by_state(world: World) -> None:
    """A token is only good for what gave it."""
    world.separations.job_errors["/music/2.mp3"] = JobError(UnreadableAudio.reason, "cut")
    batch_id = world.start()
    world.process(batch_id)
    first = world.orders.items(batch_id, (), 2, "")
    second = world.orders.items(batch_id, (), 2, first.next_page_token)
    assert [item.place for item in (*first.items, *second.items)] == [1, 2, 3]
    assert second.next_page_token == ""
    failed = world.orders.items(batch_id, {ItemState.FAILED}, 0, "")
    assert [item.path for item in failed.items] == ["/music/2.mp3"]
    for size, token in ((1001, ""), (-1, ""), (1, "x"), (1, "9" * 99)):
        with pytest.raises(InvalidRequest):
            world.orders.items(batch_id, (), size, token)


def test_batches_are_listed_newest_first(world: World) -> None:
    """Page by page."""
    names = [world.start(output_dir=f"/out/{number}") for number in range(3)]
    first = world.orders.batches(2, "")
    second = world.orders.batches(2, first.next_page_token)
    assert [batch.batch_id for batch in (*first.batches, *second.batches)] == names[::-1]
    assert second.next_page_token == ""


def test_batch_never_falls_to_the_starter_by_itself(world: World) -> None:
    """It names the command that helps; who asks for the starter gets it."""
    world.separations.survey_now = EngineSurvey((STARTER,), (NO_DEMUCS,))
    with pytest.raises(EngineUnavailable, match="stemhouse models pull htdemucs"):
        world.start()
    assert world.orders.plan(spec()).obstacles[0].count("stemhouse models pull htdemucs") == 1
    batch_id = world.start(engine="starter")
    world.process(batch_id)
    assert {job.request.engine for job in world.separations.jobs_by_request.values()} == {"starter"}


def test_engine_and_model_are_as_asked_for(world: World) -> None:
    """A model alone names its engine."""
    other = replace(DEMUCS, model="htdemucs_ft", engine_id="demucs-htdemucs_ft-0")
    world.separations.survey_now = EngineSurvey((other, DEMUCS, STARTER))
    world.process(world.start(model="htdemucs_ft"))
    requests = [job.request for job in world.separations.jobs_by_request.values()]
    assert {(request.engine, request.model) for request in requests} == {("demucs", "htdemucs_ft")}
    for wish in ({"model": "nothing"}, {"engine": "starter", "model": "htdemucs_ft"}):
        with pytest.raises(EngineUnavailable):
            world.start(**wish)


def test_engine_that_nobody_knows_is_refused_with_those_that_are(world: World) -> None:
    """One that only lacks a model is no such engine."""
    world.separations.survey_now = EngineSurvey((STARTER,), (NO_DEMUCS,))
    with pytest.raises(InvalidRequest, match=r"no engine nope; there are demucs, lalal, starter$"):
        world.orders.plan(spec(engine="nope"))
    assert world.orders.plan(spec(engine="demucs")).obstacles
    with pytest.raises(EngineUnavailable, match="licence key"):
        world.start(engine="lalal", cloud_minutes=5.0)


def test_same_wish_at_the_same_moment_is_one_batch(world: World) -> None:
    """The second waits until the first is begun, and finds it."""
    orders, survey = world.orders, world.separations.survey
    started: list[str] = []
    second = Thread(target=lambda: started.append(orders.start("second", spec()).batch_id))

    def answer() -> EngineSurvey:
        if not second.ident:
            second.start()
            second.join(0.05)
        return survey()

    world.separations.survey = answer  # type: ignore[method-assign]
    started.append(orders.start("first", spec()).batch_id)
    second.join()
    assert started == ["batch1", "batch1"]


def test_cap_of_a_batch_goes_with_each_of_its_jobs(world: World) -> None:
    """The router counts what all of them take together; without one nothing may be spent."""
    for minutes in (12.5, 0.0):
        world.separations.jobs_by_request.clear()
        world.process(world.start(cloud_minutes=minutes, output_dir=f"/out/{minutes}"))
        assert {job.request.cloud_minutes for job in world.separations.jobs_by_request.values()} == {minutes}


LALAL = replace(DEMUCS, name="lalal", engine_id="lalal-0", cloud=CloudTerms("lalal-1234", 3.0))


@pytest.mark.parametrize(
    ("wish", "minutes"),
    [
        ({}, 0.0),
        ({"cloud_minutes": 12.0}, 12.0),
        ({"cloud_minutes": 90.0}, 30.0),
        ({"engine": "lalal", "cloud_minutes": 90.0}, 30.0),
        ({"engine": "lalal", "cloud_minutes": 12.0}, 12.0),
        ({"engine": "demucs", "cloud_minutes": 90.0}, 0.0),
        ({"model": "htdemucs", "cloud_minutes": 90.0}, 0.0),
    ],
)
def test_plan_tells_the_most_that_can_be_charged(world: World, wish: dict[str, Any], minutes: float) -> None:
    """Three tracks of 200 s at three minutes a minute; for `auto` each may fail, up to the cap."""
    world.separations.survey_now = EngineSurvey((LALAL, DEMUCS))
    plan = world.orders.plan(spec(**wish))
    assert (plan.cloud_minutes, plan.obstacles) == (minutes, ())


def test_engine_that_costs_money_needs_a_cap(world: World) -> None:
    """The sentence names the most that it can take, and the flag; `auto` never begins with it."""
    world.separations.survey_now = EngineSurvey((LALAL,))
    assert (
        "30.00 minutes of the account: allow that with --cloud-minutes 30.00"
        in (world.orders.plan(spec(engine="lalal")).obstacles[0])
    )
    with pytest.raises(BudgetExceeded, match="--cloud-minutes"):
        world.start(engine="lalal")
    with pytest.raises(EngineUnavailable, match="stemhouse models pull htdemucs"):
        world.start(cloud_minutes=90.0)


def test_separator_that_does_not_answer_may_have_the_engine(world: World) -> None:
    """Then nobody is told to install something."""
    world.separations.survey_now = EngineSurvey((STARTER,), is_partial=True)
    with pytest.raises(Unavailable, match="may have it") as caught:
        world.start()
    assert type(caught.value) is Unavailable


def test_stems_that_the_engine_does_not_give_are_refused(world: World) -> None:
    """Before ten thousand tracks are separated for them; derived ones are given."""
    with pytest.raises(InvalidRequest, match="gives no guitar"):
        world.orders.plan(spec(delivery=replace(spec().delivery, stems=("vocals", "guitar"))))
    assert not world.orders.plan(spec(delivery=replace(spec().delivery, stems=("instrumental",)))).obstacles


def test_run_that_cannot_fit_is_refused_with_the_numbers(world: World) -> None:
    """And nothing is begun."""
    world.disks.free_bytes = 400_000_000
    shortage = r"/out/stems has 0\.40 GB free, and the run takes up to 0\.64 \(output 0\.64\)"
    with pytest.raises(InvalidRequest, match=shortage):
        world.start()
    assert not world.orders.batches(0, "").batches
    assert "0.64" in world.orders.plan(spec()).obstacles[0]


def test_plan_counts_what_is_left(world: World) -> None:
    """What is there already takes neither time nor room."""
    world.process(world.start())
    world.files.stamps["/music/1.mp3"] = FileStamp(5000, 9)
    world.files.rescan(spec())
    plan = world.orders.plan(spec())
    assert (plan.track_count, plan.skipped_count, plan.audio_s, plan.cloud_minutes) == (1, 2, 200.0, 0.0)
    output, home = plan.volumes
    assert [need.use for need in output.needs] == ["output"]
    assert [(need.use, need.peak_bytes) for need in home.needs][1] == ("source copies", 5000)
