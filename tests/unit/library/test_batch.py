"""Working through a batch, on fakes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.library.core.batch_line import Limits
from services.library.core.ports import FileStamp
from stemhouse.batches import BATCH_PRIORITY, BatchCounts, BatchState, ItemState
from stemhouse.errors import (
    InvalidRequest,
    NotFound,
    ResultGone,
    Unavailable,
    UnreadableAudio,
)
from stemhouse.jobs import CacheHit, Job, JobError, SeparationRequest
from stemhouse.vocab import JobState
from tests.unit.library.batch_world import World, spec
from tests.unit.library.fake_separations import DEMUCS, MIX_BYTES, STEM_BYTES, TRACK_S

IDLE: list[Callable[[], object]] = [lambda: None]
PATHS = [f"/music/{number}.mp3" for number in range(1, 6)]


@pytest.fixture
def world() -> World:
    """Five tracks."""
    return World(5)


def test_all_tracks_are_separated_in_order_and_delivered(world: World) -> None:
    """Each once, with the batch's priority and engine; then the batch is done."""
    world.process(world.start())
    assert world.separations.order == PATHS
    assert sorted(world.deliveries.delivered) == PATHS
    requests = [job.request for job in world.separations.jobs_by_request.values()]
    assert {(request.priority, request.engine) for request in requests} == {(BATCH_PRIORITY, "auto")}
    assert list(world.separations.jobs_by_request) == [f"batch1-{place}-1" for place in range(1, 6)]
    batch = world.batch()
    assert (batch.state, batch.counts) == (BatchState.DONE, BatchCounts(done=5))
    assert batch.ended_at is not None


@pytest.mark.parametrize(("stems", "is_vocals_only"), [(("instrumental",), True), (("vocals", "drums"), False)])
def test_batch_of_vocals_alone_is_asked_for_as_that(
    world: World,
    stems: tuple[str, ...],
    is_vocals_only: bool,  # noqa: FBT001  a case
) -> None:
    """So that no engine makes stems that nobody is to get."""
    world.process(world.start(delivery=replace(spec().delivery, stems=stems)))
    requests = [job.request for job in world.separations.jobs_by_request.values()]
    assert {request.is_vocals_only for request in requests} == {is_vocals_only}


def test_done_item_tells_where_its_files_are(world: World) -> None:
    """Folder, sizes, engine, and the time that was work, not that of waiting for others."""
    world.deliveries.took_s = 0.5
    world.process(world.start())
    item = world.items()[-1]
    assert (item.folder, item.engine_id) == ("/out/stems/5.mp3", "demucs-htdemucs-0")
    assert item.file_sizes_bytes == {"vocals.wav": 4000, "drums.wav": 4000}
    assert item.work_s == 1.5  # the fake engine says that every track took it a second


def test_bytes_ahead_are_bounded(world: World) -> None:
    """No more is uploaded or queued than the limit has room for."""
    world.process(world.start(), limits=Limits(ahead_bytes=2000))
    assert world.separations.most_open == 2
    assert world.batch().counts.done == 5


def test_number_of_tracks_ahead_is_bounded(world: World) -> None:
    """However small they are."""
    world.separations.ended_per_look = 0

    def go_on() -> None:
        world.separations.ended_per_look = 1

    world.process(world.start(), *IDLE * 5, go_on, limits=Limits(ahead_tracks=3))
    assert world.separations.most_open == 3
    assert world.batch().counts.done == 5


def test_track_larger_than_the_limit_goes_alone(world: World) -> None:
    """It would wait for ever else."""
    world.process(world.start(), limits=Limits(ahead_bytes=999))
    assert world.separations.most_open == 1
    assert world.batch().counts.done == 5


def test_file_that_has_changed_since_the_scan_is_taken_as_it_is(world: World) -> None:
    """Its stamp is brought up to date, and so its export is found by the next batch."""
    batch_id = world.start()
    world.files.stamps[PATHS[0]] = FileStamp(1234, 77)
    world.process(batch_id)
    item = world.items()[0]
    assert (item.state, item.size_bytes, item.modified_ns) == (ItemState.DONE, 1234, 77)
    world.files.rescan(world.batch().spec)
    assert world.orders.plan(world.batch().spec).skipped_count == 5


def test_file_that_is_still_being_copied_is_left_alone(world: World) -> None:
    """It is taken when nobody has written to it for a while; so is one from the future, whose clock is wrong."""
    batch_id = world.start(is_watching=True)
    now_ns = int(world.now().timestamp() * 1e9)
    taken_at_s: dict[str, float] = {}

    def look() -> None:
        world.files.stamps["/music/future.mp3"] = FileStamp(2000, now_ns + 10**18)
        if world.now_s < 70.0:
            world.files.stamps["/music/half.mp3"] = FileStamp(2000, now_ns + int(world.now_s * 1e9))
        for item in world.items():
            taken_at_s.setdefault(item.path, world.now_s)

    world.process(batch_id, *[look] * 150, lambda: world.orders.cancel(batch_id))
    assert taken_at_s["/music/half.mp3"] >= 85.0
    assert taken_at_s["/music/future.mp3"] < 60.0


def test_idle_watching_is_no_work(world: World) -> None:
    """Else the speed of the engine, and all later plans, would be spoilt by a quiet night."""
    batch_id = world.start(is_watching=True)
    world.process(batch_id, *[lambda: None] * 100, lambda: world.orders.cancel(batch_id))
    speed = world.exports.audio_s_per_wall_s(DEMUCS.engine_id)
    before_s = world.now_s
    again = world.start(is_watching=True)
    late = [lambda: None] * 100

    def add() -> None:
        world.files.stamps["/music/new.mp3"] = FileStamp(2000, 1)

    world.process(again, *late, add, *late, lambda: world.orders.cancel(again))
    assert world.now_s - before_s > 100.0
    assert speed is not None
    assert (world.exports.audio_s_per_wall_s(DEMUCS.engine_id) or 0.0) > speed / 4


def test_pause_finishes_what_runs_and_recalls_what_waits(world: World) -> None:
    """Queued jobs are cancelled, and their tracks get new attempts when the batch goes on."""
    batch_id = world.start()
    world.process(batch_id, lambda: None, lambda: world.orders.pause(batch_id))
    batch = world.batch()
    assert batch.state is BatchState.PAUSED
    assert batch.counts.active == 0
    assert 0 < batch.counts.done < 5
    open_jobs = [job for job in world.separations.jobs_by_request.values() if not job.state.is_final]
    assert open_jobs == []
    world.orders.resume(batch_id)
    assert world.woken[-1] == batch_id
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(done=5)
    done = [job for job in world.separations.jobs_by_request.values() if job.state is JobState.DONE]
    assert sorted(job.request.source.file_name for job in done) == PATHS


def test_cancel_stops_jobs_and_leaves_files(world: World) -> None:
    """The batch is final at once, with no active track; the driver withdraws the jobs."""
    batch_id = world.start()

    def cancel() -> None:
        batch = world.orders.cancel(batch_id)
        assert (batch.state, batch.counts.active, batch.counts.waiting) == (BatchState.CANCELLED, 0, 0)

    world.process(batch_id, lambda: None, lambda: None, lambda: None, cancel)
    assert world.batch().counts.done > 0
    assert all(job.state.is_final for job in world.separations.jobs_by_request.values())
    assert world.store.recalled(batch_id) == []


def test_cancel_between_two_calls_leaves_no_job_behind(world: World) -> None:
    """The track is cancelled after its submission, and before the library has noted that."""
    batch_id = world.start()
    submit = world.separations.submit

    def submit_late(request: SeparationRequest, request_id: str, batch_id: str) -> Job:
        job = submit(request, request_id, batch_id)
        world.orders.cancel(batch_id)
        return job

    world.separations.submit = submit_late  # type: ignore[method-assign]
    world.process(batch_id)
    assert {job.state for job in world.separations.jobs_by_request.values()} == {JobState.CANCELLED}
    assert world.batch().counts == BatchCounts(cancelled=5)


def test_retry_takes_failed_and_cancelled_tracks_once_more(world: World) -> None:
    """With another attempt, and only those."""
    world.separations.job_errors[PATHS[1]] = JobError(UnreadableAudio.reason, "cut")
    batch_id = world.start()
    world.process(batch_id)
    world.separations.job_errors.clear()
    assert world.orders.retry(batch_id).state is BatchState.RUNNING
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(done=5)
    assert list(world.separations.jobs_by_request)[5:] == ["batch1-2-2"]
    assert world.items()[1].error is None


def test_job_that_somebody_else_cancels_is_not_sent_again(world: World) -> None:
    """Until the batch is told to."""
    batch_id = world.start()

    world.separations.ended_per_look = 0

    def cancel() -> None:
        world.separations.cancel("job-4")
        world.separations.ended_per_look = 1

    world.process(batch_id, *IDLE * 5, cancel)
    assert world.batch().counts == BatchCounts(done=4, cancelled=1)


def test_router_without_memory_gets_the_tracks_anew(world: World) -> None:
    """A lost ledger costs work and no track."""
    batch_id = world.start()
    world.process(batch_id, lambda: None, lambda: None, world.separations.jobs_by_request.clear)
    assert world.batch().counts == BatchCounts(done=5)


def test_watching_batch_takes_new_and_changed_files(world: World) -> None:
    """Behind the others, after a rescan; it ends only when somebody says so."""
    batch_id = world.start(is_watching=True)

    def change() -> None:
        assert world.batch().counts == BatchCounts(done=5)
        assert world.batch().state is BatchState.RUNNING
        world.files.stamps["/music/new.mp3"] = FileStamp(10, 1)
        world.files.stamps[PATHS[0]] = FileStamp(11, 2)

    world.process(batch_id, *IDLE * 20, change, *IDLE * 60, lambda: world.orders.cancel(batch_id))
    assert [(item.place, item.path) for item in world.items()[5:]] == [(6, PATHS[0]), (7, "/music/new.mp3")]
    assert world.batch().counts == BatchCounts(done=7)
    assert len(world.separations.uploads) == 7


def test_folder_that_vanishes_while_it_is_watched_is_waited_for(world: World) -> None:
    """A rescan that fails ends nothing."""
    batch_id = world.start(is_watching=True)
    rescan = world.files.rescan

    def fail(_spec: object) -> None:
        world.files.rescan = rescan  # type: ignore[method-assign]
        raise InvalidRequest("no folder /music")

    world.files.rescan = fail  # type: ignore[method-assign]
    seen = []
    idle: list[Callable[[], object]] = [lambda: seen.append(world.batch().hindrance)]
    world.process(batch_id, *idle * 80, lambda: world.orders.cancel(batch_id))
    assert world.batch().counts == BatchCounts(done=5)


def test_pace_is_unknown_before_three_tracks_and_then_by_audio(world: World) -> None:
    """Here one track of 200 s is done in each second."""
    seen = {}

    def look() -> None:
        batch = world.batch()
        seen[batch.counts.done] = batch.tracks_per_hour, batch.remaining_s, world.now_s - 1.0

    world.process(world.start(), *[look] * 20, limits=Limits(deliveries=1))
    assert seen[2][:2] == (None, None)
    assert seen[4][0] == 3600 * 4 / seen[4][2]
    assert seen[4][1] == seen[4][2] / 4
    assert seen[4][2] <= 7.0


def test_pace_leaves_hindrances_out(world: World) -> None:
    """An hour without a router does not make the machine slower."""
    batch_id = world.start()

    def go_away() -> None:
        world.separations.outage = Unavailable("away")

    def come_back() -> None:
        world.separations.outage = None

    world.process(batch_id, *IDLE * 2, go_away, *IDLE * 100, come_back)
    assert world.now_s > 100
    assert (world.batch().tracks_per_hour or 0) > 3600 / 5


def test_measured_speed_is_kept_for_plans(world: World) -> None:
    """Only of tracks that were separated for it: five of 200 s, one a second."""
    world.process(world.start())
    plan = world.orders.plan(world.batch().spec)
    assert plan.work_s == 0.0
    world.files.add("/music/new.mp3")
    work_s = world.orders.plan(world.batch().spec).work_s
    assert work_s == pytest.approx(1.2, rel=0.3)


def test_what_the_store_held_is_kept_for_plans(world: World) -> None:
    """Mix and stems, over the audio of all tracks; results that do not tell all sizes are left out."""
    world.process(world.start())
    assert world.exports.stored_bytes_per_s(DEMUCS.engine_id) == (MIX_BYTES + 4 * STEM_BYTES) / TRACK_S
    world.files.add("/music/new.mp3")
    needs = {need.use: need for volume in world.orders.plan(spec()).volumes for need in volume.needs}
    assert needs["store"].peak_bytes == MIX_BYTES + 4 * STEM_BYTES


def test_stems_leave_the_store_when_their_files_are_there(world: World) -> None:
    """Not before, and not what somebody else had separated earlier, or what is to be kept."""
    world.process(world.start())
    assert sorted(world.separations.released) == PATHS
    for wishes, cache_hit in (({"keeps_results": True}, CacheHit.NONE), ({}, CacheHit.FILE)):
        other = World(5)
        other.separations.cache_hit = cache_hit
        other.process(other.start(**wishes))
        assert other.separations.released == []
        assert other.batch().counts == BatchCounts(done=5)


def test_failing_release_hinders_nothing(world: World) -> None:
    """The router is away just then: the stems stay, the batch goes on."""
    world.separations.release_error = Unavailable("no router")
    world.process(world.start())
    assert world.batch().counts == BatchCounts(done=5)


def test_stems_that_another_batch_has_dropped_are_made_again(world: World) -> None:
    """A second attempt; where that helps no more than twice, the track fails."""
    world.deliveries.errors["/music/2.mp3"] = [ResultGone("the store has no stems")]
    world.deliveries.errors["/music/3.mp3"] = [NotFound("the store has no stems")] * 9
    world.process(world.start())
    assert [(item.state, item.attempt) for item in world.items()[1:3]] == [(ItemState.DONE, 2), (ItemState.FAILED, 3)]
    assert world.separations.released.count("/music/2.mp3") == 2  # what is left of the first, and the delivered second
