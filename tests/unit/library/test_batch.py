"""Working through a batch, on fakes; each kill comes between two calls of a port, and memory is lost with it."""

import contextlib
import itertools
from collections.abc import Callable

import pytest

from services.library.core.batch_line import Limits
from services.library.core.ports import FileStamp
from stemhouse.batches import BATCH_PRIORITY, BatchCounts, BatchState, ItemState
from stemhouse.errors import (
    EngineUnavailable,
    InternalFault,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
    Unavailable,
    UnreadableAudio,
    WorkerDied,
)
from stemhouse.jobs import CacheHit, Job, JobError, SeparationRequest
from stemhouse.vocab import JobState
from tests.unit.library.batch_world import Fuse, Killed, World

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
    assert {(request.priority, request.engine) for request in requests} == {(BATCH_PRIORITY, "demucs")}
    assert list(world.separations.jobs_by_request) == [f"batch1-{place}-1" for place in range(1, 6)]
    batch = world.batch()
    assert (batch.state, batch.counts) == (BatchState.DONE, BatchCounts(done=5))
    assert batch.ended_at is not None


def test_done_item_tells_where_its_files_are(world: World) -> None:
    """Folder, sizes, engine, and the time since its submission."""
    world.process(world.start())
    item = world.items()[0]
    assert (item.folder, item.engine_id) == ("/out/stems/1.mp3", "demucs-htdemucs-0")
    assert item.file_sizes_bytes == {"vocals.wav": 4000, "drums.wav": 4000}
    assert item.work_s == 2.0  # the fake router says that every job was made at the begin


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


def test_file_that_has_changed_since_the_scan_is_taken_as_it_is(world: World) -> None:
    """Its stamp is brought up to date, and so its export is found by the next batch."""
    batch_id = world.start()
    world.files.stamps[PATHS[0]] = FileStamp(1234, 77)
    world.process(batch_id)
    item = world.items()[0]
    assert (item.state, item.size_bytes, item.modified_ns) == (ItemState.DONE, 1234, 77)
    world.files.rescan(world.batch().spec)
    assert world.orders.plan(world.batch().spec).skipped_count == 5


def test_second_batch_skips_what_is_there(world: World) -> None:
    """Nothing is uploaded or delivered again; a vanished file is."""
    world.process(world.start())
    world.files.add("/music/new.mp3")
    del world.deliveries.files["/out/stems/2.mp3"]
    world.deliveries.delivered.clear()
    second = world.start()
    assert world.batch(second).counts == BatchCounts(waiting=2, skipped=4)
    world.process(second)
    assert world.deliveries.delivered == ["/music/2.mp3", "/music/new.mp3"]
    assert world.items(second)[0].folder == "/out/stems/1.mp3"


def test_what_another_batch_has_delivered_meanwhile_is_skipped(world: World) -> None:
    """The second look comes just before a track is taken."""
    first, second = world.start(), world.start()
    world.process(first)
    world.process(second)
    assert world.batch(second).counts == BatchCounts(skipped=5)
    assert len(world.separations.uploads) == 5


def test_force_skips_nothing(world: World) -> None:
    """And the router is told."""
    world.process(world.start())
    second = world.start(force=True)
    world.process(second)
    assert world.batch(second).counts == BatchCounts(done=5)
    assert [job.request.force for job in world.separations.jobs_by_request.values()] == [False] * 5 + [True] * 5


def test_other_options_are_other_files(world: World) -> None:
    """What was delivered for one wish says nothing of another."""
    world.process(world.start())
    assert world.orders.plan(world.batch().spec).skipped_count == 5
    for wish in ({"sum_to_mix": False}, {"output_dir": "/out/other"}, {"model": "htdemucs"}):
        second = world.start(**wish)
        assert world.batch(second).counts.skipped == 0


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


def count_of_kills(script: Callable[[World, Fuse], None], check: Callable[[World], None]) -> int:
    """Run the script with a kill at each of its steps in turn, each time followed by another life, and check."""
    for kill_at in range(1, 2000):
        world, fuse = World(3), Fuse(kill_at)
        try:
            script(world, fuse)
        except Killed:
            for batch_id in world.store.unfinished():
                world.process(batch_id)
            check(world)
        else:
            return kill_at - 1
    raise AssertionError("it never ended")


def test_killed_anywhere_each_track_is_done_once() -> None:
    """No second job, no deliveries repeated but those under way, nothing unfinished left."""

    def script(world: World, fuse: Fuse) -> None:
        world.process(world.start(), fuse=fuse)

    def check(world: World) -> None:
        assert world.batch().counts == BatchCounts(done=3)
        assert list(world.separations.jobs_by_request) == ["batch1-1-1", "batch1-2-1", "batch1-3-1"]
        assert sorted(set(world.deliveries.delivered)) == PATHS[:3]
        assert len(world.deliveries.delivered) <= 3 + Limits().deliveries
        assert world.deliveries.unfinished == []

    assert count_of_kills(script, check) > 50


def test_killed_anywhere_in_a_pause_nothing_is_lost() -> None:
    """Recalled jobs are withdrawn; each track has one job that was not."""

    def script(world: World, fuse: Fuse) -> None:
        batch_id = world.start()
        world.process(batch_id, lambda: None, lambda: world.orders.pause(batch_id), fuse=fuse)

    def check(world: World) -> None:
        batch = world.batch()
        if batch.state is BatchState.PAUSED:
            assert batch.counts.active == 0
            assert all(job.state.is_final for job in world.separations.jobs_by_request.values())
            world.orders.resume("batch1")
        world.process()
        assert world.batch().counts == BatchCounts(done=3)
        done = [job for job in world.separations.jobs_by_request.values() if job.state is JobState.DONE]
        assert sorted(job.request.source.file_name for job in done) == PATHS[:3]

    assert count_of_kills(script, check) > 30


def test_killed_anywhere_in_a_cancel_no_job_goes_on() -> None:
    """And a retry does the rest."""

    def script(world: World, fuse: Fuse) -> None:
        batch_id = world.start()
        world.process(batch_id, lambda: None, lambda: world.orders.cancel(batch_id), fuse=fuse)

    def check(world: World) -> None:
        if world.batch().state is BatchState.CANCELLED:
            assert all(job.state.is_final for job in world.separations.jobs_by_request.values())
            world.orders.retry("batch1")
            world.process()
        assert world.batch().counts == BatchCounts(done=3)

    assert count_of_kills(script, check) > 30


def test_file_that_changes_between_a_kill_and_the_next_life_is_sent_anew() -> None:
    """Its request id is taken by what it was; the next attempt has another one."""
    world = World(1)
    batch_id = world.start()
    for kill_at in itertools.takewhile(lambda _: not world.separations.jobs_by_request, itertools.count(1)):
        with contextlib.suppress(Killed):
            world.process(batch_id, fuse=Fuse(kill_at))
    assert world.batch().counts == BatchCounts(waiting=1)
    world.separations.contents[PATHS[0]] = "something else"
    world.process(batch_id)
    assert world.batch().counts == BatchCounts(done=1)
    assert list(world.separations.jobs_by_request) == ["batch1-1-1", "batch1-1-2"]


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
    world.deliveries.errors["/music/2.mp3"] = [NotFound("the store has no stems")]
    world.deliveries.errors["/music/3.mp3"] = [NotFound("the store has no stems")] * 9
    world.process(world.start())
    assert [(item.state, item.attempt) for item in world.items()[1:3]] == [(ItemState.DONE, 2), (ItemState.FAILED, 3)]
