"""What batches make for DJ programs, on fakes."""

import pytest

from stemhouse.batches import BatchCounts, BatchState
from stemhouse.dj import DJTarget
from stemhouse.errors import Unavailable
from tests.unit.library.batch_world import World

TARGETS = (DJTarget.REKORDBOX, DJTarget.SERATO)
FOLDERS = [f"/out/stems/{number}.mp3" for number in range(1, 4)]


@pytest.fixture
def world() -> World:
    """Three tracks."""
    return World(3)


def test_tracks_are_made_for_djs_as_they_finish(world: World) -> None:
    """Each once, behind its delivery; lists name all of them at the end."""
    world.process(world.start(targets=TARGETS))
    assert world.deliveries.for_djs == FOLDERS
    assert world.deliveries.listed == [FOLDERS]
    assert (world.batch().state, world.batch().counts) == (BatchState.DONE, BatchCounts(done=3))


def test_files_that_were_there_already_are_made_for_djs_too(world: World) -> None:
    """A target that comes to mind later needs no second separation; without targets nothing is looked at."""
    world.process(world.start())
    assert (world.deliveries.for_djs, world.deliveries.listed) == ([], [])
    world.process(world.start(targets=TARGETS))
    assert world.deliveries.for_djs == FOLDERS
    assert world.batch("batch2").counts == BatchCounts(skipped=3)
    assert len(world.separations.order) == 3


def test_lists_that_cannot_be_written_now_are_written_later(world: World) -> None:
    """The batch waits for the drive, and says so; then it is done."""
    world.deliveries.list_errors = [Unavailable("the drive is away")] * 2
    seen: list[str] = []
    world.process(world.start(targets=TARGETS), *[lambda: seen.append(world.batch().hindrance)] * 9)
    assert "the drive is away" in seen
    assert world.deliveries.listed == [FOLDERS]
    assert world.batch().state is BatchState.DONE
