"""Vocals in a batch: what results tell is kept, and unknown tracks are heard shortly before their turn."""

from concurrent.futures import Future

import pytest

from services.library.core.batch_line import Limits, Line, Prepared
from services.library.core.hearing import VocalHearing
from services.library.core.ports import FileStamp, VocalShare
from services.library.core.track_probes import TrackProbes
from stemhouse.audio import SourceRef
from stemhouse.batches import BatchCounts, BatchItem
from stemhouse.errors import EngineUnavailable, InvalidRequest, UnreadableAudio
from stemhouse.jobs import JobError
from stemhouse.tracks import ProbeProgress, ScanProblem
from tests.unit.library.batch_world import Fuse, Killed, World

PATHS = [f"/music/{number}.mp3" for number in range(1, 9)]
ONE_AT_A_TIME = Limits(backlog_tracks=1, rivals=4)


def numbers(paths: list[str]) -> list[int]:
    """Of the files."""
    return [int(path.removeprefix("/music/").removesuffix(".mp3")) for path in paths]


def process_slowly(world: World, batch_id: str) -> None:
    """The first track takes long enough for all rivals that may be ready to be heard."""
    world.separations.ended_per_look = 0

    def go_on() -> None:
        world.separations.ended_per_look = 1

    world.process(batch_id, *[lambda: None] * 9, go_on, limits=ONE_AT_A_TIME)


@pytest.fixture
def world() -> World:
    """Eight tracks that vocals could move, but for the first and the last; 5, 7 and 8 are sung."""
    world = World(8)
    world.files.tiers = dict.fromkeys(PATHS[1:7], 2)
    world.separations.probed_shares = {PATHS[4]: 0.9, PATHS[6]: 0.3, PATHS[7]: 0.9}
    return world


def test_share_of_a_result_is_kept_for_the_next_order(world: World) -> None:
    """For the file as it was; a result that does not tell changes nothing."""
    world.process(world.start())
    assert world.files.heard == {}
    other = World(1)
    other.separations.vocal_share = 0.0
    other.process(other.start())
    assert other.files.heard == {PATHS[0]: VocalShare(0.0, is_probed=False)}


def test_without_the_wish_nobody_listens(world: World) -> None:
    """A probe has its price."""
    world.process(world.start(), limits=ONE_AT_A_TIME)
    assert (world.separations.probed, world.separations.order) == ([], PATHS)


def test_sung_rivals_go_first(world: World) -> None:
    """Among the few that are ready; another goes when the router runs dry, and known ones keep their places."""
    process_slowly(world, world.start(probes_vocals=True))
    assert numbers(world.separations.order) == [1, 5, 2, 7, 3, 4, 6, 8]
    assert numbers(world.separations.probed) == [2, 3, 4, 5, 6]  # 7 was wanted before it was heard
    reasons = {item.path: item.reasons for item in world.items()}
    assert reasons[PATHS[4]] == ("by path", "vocals: 90% of it (probed)")
    assert reasons[PATHS[3]] == ("by path", "no vocals (probed)")
    assert reasons[PATHS[7]] == ("by path",)
    assert world.batch().counts == BatchCounts(done=8)


def test_router_is_not_kept_waiting(world: World) -> None:
    """As long as it has less than its backlog, tracks go in the order of their places."""
    world.process(world.start(probes_vocals=True), limits=Limits(backlog_tracks=100))
    assert world.separations.order == PATHS


def test_tracks_that_are_being_separated_are_no_backlog(world: World) -> None:
    """Several devices have begun with all of them: the next one is needed."""
    world.separations.ended_per_look, world.separations.begun_per_look = 0, 100
    batch_id = world.start(probes_vocals=True)
    world.process(batch_id, *[lambda: None] * 20, lambda: world.orders.cancel(batch_id), limits=ONE_AT_A_TIME)
    assert sorted(world.separations.order) == PATHS


@pytest.mark.parametrize("tiers", [{}, {PATHS[1]: 2, PATHS[3]: 4}])
def test_nobody_listens_where_no_order_depends_on_it(world: World, tiers: dict[str, int]) -> None:
    """To what is known, and to a track without a rival."""
    world.files.tiers = tiers
    process_slowly(world, world.start(probes_vocals=True))
    assert (world.separations.probed, world.separations.order) == ([], PATHS)


def test_few_are_heard_at_once() -> None:
    """A probe waits for its turn at the device; the others must not take all threads."""
    line = Line(Limits(probes=2), probes_vocals=True)
    for place, path in enumerate(PATHS, start=1):
        item, ready = BatchItem(place, path, (), tier=1), Future[Prepared]()
        ready.set_result(Prepared(item, SourceRef("", "", 0, path)))
        line.add(item, ready)
    first, second = line.unheard()
    heard = Future[VocalShare | None]()
    line.listen(first.item, heard)
    line.listen(second.item, Future())
    assert line.unheard() == []
    heard.set_result(None)
    assert [place.item.path for place in line.unheard()] == [PATHS[2]]


def test_no_more_rivals_than_the_limit_are_uploaded_ahead(world: World) -> None:
    """Their audio lies in the store until their turn."""
    seen: list[int] = []

    def look() -> None:
        seen.append(len(world.separations.uploads) - len(world.separations.order))

    world.separations.ended_per_look = 0
    batch_id = world.start(probes_vocals=True)
    world.process(batch_id, *[look] * 20, lambda: world.orders.cancel(batch_id), limits=ONE_AT_A_TIME)
    assert seen[-1] == ONE_AT_A_TIME.rivals


def test_failing_probe_fails_no_track(world: World) -> None:
    """Then nothing is known, and the track keeps its place."""
    world.separations.probe_error = EngineUnavailable("nobody listens")
    process_slowly(world, world.start(probes_vocals=True))
    assert world.separations.order == PATHS
    assert len(world.separations.probed) == 6
    assert world.batch().counts == BatchCounts(done=8)


def test_what_is_recorded_is_not_probed_again(world: World) -> None:
    """By a listing meanwhile, or by a life before this one."""
    batch_id = world.start(probes_vocals=True)
    for path in PATHS[1:7]:
        world.files.heard[path] = VocalShare(world.separations.probed_shares.get(path, 0.0), is_probed=True)
    process_slowly(world, batch_id)
    assert world.separations.probed == []
    assert numbers(world.separations.order) == [1, 5, 2, 7, 3, 4, 6, 8]


def test_rival_that_cannot_be_prepared_is_in_nobodys_way(world: World) -> None:
    """It fails when it is the first, and is never sent."""
    world.separations.upload_errors[PATHS[2]] = UnreadableAudio("cut")
    world.separations.job_errors[PATHS[4]] = JobError("UNREADABLE_AUDIO", "cut")
    world.process(world.start(probes_vocals=True), limits=ONE_AT_A_TIME)
    assert sorted(numbers(world.separations.order)) == [1, 2, 4, 5, 6, 7, 8]
    assert world.batch().counts == BatchCounts(done=6, failed=2)


@pytest.mark.parametrize("kill_at", [*range(20, 120, 9)])
def test_killed_batch_sends_each_track_once(world: World, kill_at: int) -> None:
    """Whatever has been heard by then."""
    batch_id = world.start(probes_vocals=True)
    with pytest.raises(Killed):
        world.process(batch_id, fuse=Fuse(kill_at), limits=ONE_AT_A_TIME)
    world.process(batch_id, limits=ONE_AT_A_TIME)
    assert sorted(world.separations.order) == PATHS
    assert len(world.separations.probed) <= 6 + 2
    assert world.batch().counts == BatchCounts(done=8)


def test_listing_probes_the_unknown_among_the_first(world: World) -> None:
    """One bad file is told of; what stands in the way of all ends it, and what was found by then is kept."""
    probes = TrackProbes(world.files, VocalHearing(world.files, world.separations))
    world.separations.upload_errors[PATHS[2]] = InvalidRequest("cannot read")
    told = list(probes.probe("/music", [], is_crates_only=False, limit=4))
    assert told == [
        ProbeProgress(0, 3),
        ProbeProgress(1, 3),
        ProbeProgress(2, 3, ScanProblem(PATHS[2], "cannot read")),
        ProbeProgress(3, 3),
    ]
    assert set(world.files.heard) == {PATHS[1], PATHS[3]}
    assert world.files.vocals(PATHS[1], FileStamp(0, 0)) is None
    world.separations.probe_error = EngineUnavailable("nobody listens")
    with pytest.raises(EngineUnavailable):
        list(probes.probe("/music", [], is_crates_only=False, limit=0))
    with pytest.raises(InvalidRequest, match="limit"):
        list(probes.probe("/music", [], is_crates_only=False, limit=1001))
