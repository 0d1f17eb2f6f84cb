"""What goes wrong in a batch: one track fails, or all wait for what is away."""

import itertools
from collections.abc import Callable

import pytest

from services.library.core.batch_line import Limits
from stemhouse.batches import BatchCounts, BatchState, ItemState
from stemhouse.errors import (
    BudgetExceeded,
    ChargeUncertain,
    EngineFailed,
    EngineUnavailable,
    InternalFault,
    InvalidRequest,
    StorageUnavailable,
    Unavailable,
    UnreadableAudio,
    WorkerDied,
)
from stemhouse.jobs import Job, JobError
from tests.unit.library.batch_world import World

IDLE: list[Callable[[], object]] = [lambda: None]
PATHS = [f"/music/{number}.mp3" for number in range(1, 6)]


@pytest.fixture
def world() -> World:
    """Five tracks."""
    return World(5)


def test_bad_tracks_do_not_stop_the_rest(world: World) -> None:
    """Missing, empty, rejected by the router, and a worker that died: each says why and what helps."""
    batch_id = world.start()
    del world.files.stamps[PATHS[0]]
    world.separations.upload_errors[PATHS[1]] = UnreadableAudio("2.mp3 is empty")
    world.separations.job_errors[PATHS[2]] = JobError(UnreadableAudio.reason, "3.mp3 is no audio")
    world.separations.job_errors[PATHS[3]] = JobError(WorkerDied.reason, "the worker died")
    world.process(batch_id)
    items = world.items()
    assert [item.state for item in items] == [ItemState.FAILED] * 4 + [ItemState.DONE]
    assert [item.error.message for item in items[:4] if item.error] == [
        "/music/1.mp3 is not there",
        "2.mp3 is empty",
        "3.mp3 is no audio",
        "the worker died",
    ]
    remedies = [item.remedy for item in items[:4]]
    assert all("`stemhouse batch retry batch1`" in remedy for remedy in remedies)
    assert "Put the file back" in remedies[0]
    assert "damaged" in remedies[1]
    assert "Nothing is wrong with the file" in remedies[3]
    assert world.batch().state is BatchState.DONE


def test_damage_of_a_track_that_is_done_is_kept(world: World) -> None:
    """Its files end early; later batches, which find them there at the start or at the second look, say so, too."""
    world.separations.damages[PATHS[1]] = damage = "the file is damaged: its end is missing"
    first, second = world.start(), world.start(keeps_results=True)
    world.process(first)
    world.process(second)
    for batch_id in (first, second, world.start()):
        assert [item.damage for item in world.items(batch_id)] == ["", damage, "", "", ""]


def test_paused_batch_waits_for_nothing(world: World) -> None:
    """What was in its way when it ran is no news any more."""
    batch_id = world.start()
    world.separations.outage = Unavailable("away")

    def pause() -> None:
        assert world.batch().hindrance == "away"
        world.orders.pause(batch_id)

    world.process(batch_id, lambda: None, pause)
    assert (world.batch().state, world.batch().hindrance) == (BatchState.PAUSED, "")


@pytest.mark.parametrize("reason", [Unavailable.reason, StorageUnavailable.reason])
def test_what_every_job_meets_fails_no_track(world: World, reason: str) -> None:
    """A separator or store that was away for a night is waited for, as a missing engine is."""
    batch_id = world.start()
    world.separations.job_errors = {path: JobError(reason, "the store is full") for path in PATHS}
    seen: list[str] = []

    def look() -> None:
        seen.append(world.batch().hindrance)

    world.process(batch_id, *[look] * 20, world.separations.job_errors.clear)
    assert world.batch().counts == BatchCounts(done=5)
    assert "the store is full" in seen[-1]


def test_defect_on_one_track_ends_that_track_alone(world: World) -> None:
    """It is logged, and the batch goes on."""
    world.separations.upload_errors[PATHS[0]] = ZeroDivisionError("oops")  # type: ignore[assignment]
    world.process(world.start())
    assert world.batch().counts == BatchCounts(done=4, failed=1)
    assert [type(defect) for defect in world.defects] == [ZeroDivisionError]


def test_failures_while_the_service_leaves_are_nobodys_fault(world: World) -> None:
    """Its connections are being closed: the next life tries again."""
    batch_id = world.start()
    submit = world.separations.submit

    def leave(*_request: object) -> Job:
        world.bell.is_stopping = True
        raise InternalFault("cannot call on a closed channel")

    world.separations.submit = leave  # type: ignore[assignment, method-assign]
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(waiting=5)
    world.separations.submit = submit  # type: ignore[method-assign]
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(done=5)


def test_delivery_that_is_refused_fails_its_track(world: World) -> None:
    """A file that the format cannot hold is no reason to wait."""
    batch_id = world.start()
    world.deliveries.error = InvalidRequest("too large for AIFF")
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(failed=5)


@pytest.mark.parametrize("error", [Unavailable("router: connection refused"), StorageUnavailable("no store")])
def test_router_that_does_not_answer_is_waited_for(world: World, error: Unavailable) -> None:
    """No track fails; the batch says what it waits for, and then goes on as if nothing had been."""
    batch_id = world.start()
    world.separations.outage = error
    hindrances = []

    def look() -> None:
        hindrances.append(world.batch().hindrance)

    def mend() -> None:
        world.separations.outage = None

    world.process(batch_id, look, look, look, look, mend)
    assert hindrances[1] == error.message
    assert (world.batch().counts, world.batch().hindrance) == (BatchCounts(done=5), "")
    assert world.separations.order == PATHS


def test_pauses_grow(world: World) -> None:
    """A router that is away for an hour is not asked 3,600 times."""
    batch_id = world.start()
    world.separations.outage = Unavailable("away")
    with pytest.raises(AssertionError, match="never ends"):
        world.process(batch_id, most_rests=300)
    asked_at_s = sorted(set(world.separations.asked_at_s))
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(asked_at_s)]
    assert gaps_s[:6] == [2.0, 3.0, 5.0, 9.0, 17.0, 31.0]  # pauses of 1, 2, 4 s and so on, seen a turn later each
    assert max(gaps_s) == 31.0
    assert world.batch().hindrance == "away"


def test_full_disk_stops_deliveries_and_no_track_fails(world: World) -> None:
    """What is separated waits; not more is separated than may be ahead."""
    batch_id = world.start()
    world.deliveries.error = Unavailable("cannot write below /out: No space left on device")

    def mend() -> None:
        assert world.separations.most_open <= 2
        assert len(world.separations.jobs_by_request) == 2
        assert "No space left" in world.batch().hindrance
        world.deliveries.error = None

    world.process(batch_id, *IDLE * 20, mend, limits=Limits(ahead_tracks=2))
    assert world.batch().counts == BatchCounts(done=5)


def test_missing_engine_is_waited_for_with_its_command(world: World) -> None:
    """A model that is gone does not fail ten thousand tracks."""
    batch_id = world.start()
    gone = EngineUnavailable("get one with: stemhouse models pull htdemucs")
    world.separations.submit_error = gone

    def mend() -> None:
        assert world.batch().hindrance == gone.message
        assert world.batch().counts == BatchCounts(waiting=5)
        world.separations.submit_error = None

    world.process(batch_id, lambda: None, lambda: None, mend)
    assert world.batch().counts == BatchCounts(done=5)


def test_what_may_cost_money_is_not_repeated_by_itself(world: World) -> None:
    """A charge in doubt, a cap that is spent, a track that an engine cannot do: each fails alone, and is not resent."""
    batch_id = world.start(engine="demucs")
    for path, error in zip(PATHS, (ChargeUncertain, BudgetExceeded, EngineFailed), strict=False):
        world.separations.job_errors[path] = JobError(error.reason, "so it is")
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(done=2, failed=3)
    assert len(world.separations.jobs_by_request) == 5
    remedies = [item.remedy for item in world.items() if item.state is ItemState.FAILED]
    assert ["stemhouse cloud" in remedy for remedy in remedies] == [True, True, False]


def test_model_that_turns_out_damaged_is_tried_by_one_job_at_a_time(world: World) -> None:
    """Its jobs fail after they were taken; their tracks wait for another attempt."""
    batch_id = world.start()
    for path in PATHS:
        world.separations.job_errors[path] = JobError(EngineUnavailable.reason, "htdemucs is damaged")
    job_counts = []

    def look() -> None:
        job_counts.append(len(world.separations.jobs_by_request))

    def mend() -> None:
        look()
        assert world.batch().hindrance == "htdemucs is damaged"
        assert world.batch().counts.failed == 0
        world.separations.job_errors.clear()

    world.process(batch_id, *[look] * 40, mend)
    assert world.batch().counts == BatchCounts(done=5)
    assert job_counts[-1] - job_counts[8] <= 4


def test_library_whose_volume_is_away_is_waited_for(world: World) -> None:
    """Not a track of it is called missing."""
    batch_id = world.start()
    world.files.outage = Unavailable("/music is not there, or empty: mount its volume")

    def mend() -> None:
        assert "mount its volume" in world.batch().hindrance
        world.files.outage = None

    world.process(batch_id, lambda: None, lambda: None, mend)
    assert world.batch().counts == BatchCounts(done=5)
