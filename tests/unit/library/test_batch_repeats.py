"""What a batch need not do again: what is delivered already, whatever has become of its file or its tags."""

import pytest

from stemhouse.batches import BatchCounts, ItemState
from tests.unit.library.batch_world import World


@pytest.fixture
def world() -> World:
    """Five tracks."""
    return World(5)


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
    first, second = world.start(), world.start(keeps_results=True)
    world.process(first)
    world.process(second)
    assert world.batch(second).counts == BatchCounts(skipped=5)
    assert len(world.separations.uploads) == 5


def test_same_wish_is_not_begun_twice(world: World) -> None:
    """Who gives the command again, after ^C, gets the batch that is at work; a finished one is followed by another."""
    first = world.start()
    assert world.start() == first
    world.process(first)
    assert world.start() != first


def test_file_that_was_touched_moved_or_renamed_is_not_separated_again(world: World) -> None:
    """What is in it counts, which is hashed only where a file of that size was delivered."""
    world.process(world.start())
    touched, moved = "/music/1.mp3", "/music/old/2.mp3"
    world.files.add(touched, modified_ns=2)
    world.files.add(moved, modified_ns=3)
    world.separations.contents[moved] = "/music/2.mp3"
    for gone in (world.files.stamps, world.files.scanned):
        del gone["/music/2.mp3"]
    world.separations.uploads.clear()
    second = world.start()
    world.process(second)
    assert world.batch(second).counts == BatchCounts(skipped=5)
    assert world.separations.uploads == []
    third = world.start()
    assert world.batch(third).counts == BatchCounts(skipped=5)


def test_other_content_of_the_same_size_is_separated(world: World) -> None:
    """A digest tells."""
    world.process(world.start())
    world.files.add("/music/1.mp3", modified_ns=2)
    world.separations.contents["/music/1.mp3"] = "another song"
    second = world.start()
    world.process(second)
    assert world.batch(second).counts == BatchCounts(done=1, skipped=4)


def test_file_whose_tags_have_changed_is_not_separated_again(world: World) -> None:
    """One whose audio has changed is, and one of which nobody can tell."""
    world.files.audio |= {f"/music/{number}.mp3": f"song {number}" for number in (1, 2)}
    world.process(world.start())
    for number in (1, 2, 3):
        world.files.add(f"/music/{number}.mp3", size_bytes=2000 + number, modified_ns=2)
    world.files.audio["/music/2.mp3"] = "another mix"
    second = world.start()
    world.process(second)
    assert [item.state for item in world.items(second)][:3] == [ItemState.SKIPPED, ItemState.DONE, ItemState.DONE]
    assert world.batch(world.start()).counts == BatchCounts(skipped=5)


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
