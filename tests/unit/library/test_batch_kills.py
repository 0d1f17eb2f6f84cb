"""A batch that is killed, on fakes; each kill comes between two calls of a port, and memory is lost with it."""

import contextlib
import itertools
from collections.abc import Callable

from services.library.core.batch_line import Limits
from stemhouse.batches import BatchCounts, BatchState
from stemhouse.vocab import JobState
from tests.unit.library.batch_world import Fuse, Killed, World

PATHS = [f"/music/{number}.mp3" for number in range(1, 6)]


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
