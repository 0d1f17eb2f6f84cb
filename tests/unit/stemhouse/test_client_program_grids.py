"""Markers of DJ programs as a grid through downbeats, and as a hint that goes with a folder of stems."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from stemhouse.analysis import GridSource
from stemhouse.client.program_grids import grid_of_program, with_program_grids
from stemhouse.client.stem_folders import LocalStems
from stemhouse.dj import DJTrack, FoundTrack, KnownTrack, TrackClue
from stemhouse.production import StemFolder
from stemhouse.tracks import BeatMarker


def test_one_marker_is_one_tempo_from_its_downbeat_on() -> None:
    """A marker on the third beat of a bar has its downbeat two beats later."""
    grid = grid_of_program([BeatMarker(0.25, 120.0, 3)])
    assert grid is not None
    assert grid.is_constant
    assert (grid.bpm, grid.end_bpm, grid.source) == (120.0, 120.0, GridSource.DJ_PROGRAM)
    assert [(marker.time_s, marker.beat) for marker in grid.markers] == [(1.25, 0.0)]


def test_markers_that_only_repeat_the_tempo_are_one() -> None:
    """That is how rekordbox writes a track of one tempo: in many bars, on any beat."""
    markers = [BeatMarker(0.1 + 0.5 * beat, 120.0, beat % 4 + 1) for beat in (0, 5, 16, 30)]
    grid = grid_of_program(markers)
    assert grid is not None
    assert grid.is_constant
    assert grid.markers[0].time_s == pytest.approx(0.1)


def test_another_tempo_is_pinned_to_its_first_downbeat() -> None:
    """120 BPM for 10 beats, then 100: the third bar begins two beats behind the step."""
    grid = grid_of_program([BeatMarker(1.0, 120.0), BeatMarker(6.0, 100.0), BeatMarker(66.0, 100.0)])
    assert grid is not None
    assert [marker.time_s for marker in grid.markers] == pytest.approx([1.0, 7.2])
    assert [marker.beat for marker in grid.markers] == [0.0, 12.0]
    assert (grid.bpm, grid.end_bpm) == (120.0, 100.0)


def test_tempo_of_a_grid_is_the_median_over_its_time() -> None:
    """A minute at 100 BPM outweighs 20 s at 120 and 16 s at 150; what follows the last marker has no length."""
    markers = [BeatMarker(0.0, 100.0), BeatMarker(60.0, 120.0), BeatMarker(80.0, 150.0), BeatMarker(96.0, 60.0)]
    grid = grid_of_program(markers)
    assert grid is not None
    assert (len(grid.markers), grid.bpm, grid.end_bpm) == (4, 100.0, 60.0)


@pytest.mark.parametrize(
    "markers",
    [
        (),
        (BeatMarker(0.0, 0.0),),
        (BeatMarker(float("nan"), 120.0),),
        (BeatMarker(0.0, 5000.0),),
        (BeatMarker(1.0, 120.0), BeatMarker(1.0, 120.0)),
        (BeatMarker(2.0, 120.0), BeatMarker(1.0, 120.0)),
    ],
)
def test_what_is_no_grid_is_none(markers: tuple[BeatMarker, ...]) -> None:
    """Without a tempo, in a tempo that nobody dances to, on one place or backwards."""
    assert grid_of_program(markers) is None


class _Library:
    """Knows the second track."""

    def find(self, clues: Sequence[TrackClue | None], *, with_cover_art: bool) -> Mapping[int, FoundTrack]:
        """See TrackFinder.find."""
        assert (len(clues), with_cover_art) == (2, False)
        track = DJTrack("two", grid=(BeatMarker(0.5, 128.0, 1),))
        return {1: FoundTrack("/music/two.mp3", KnownTrack(track, "serato"))}


def test_only_the_folder_whose_track_is_known_gets_a_hint() -> None:
    """In the order of the folders."""
    folders = [LocalStems(StemFolder("", name, ()), Path(name), {}) for name in ("one", "two")]
    one, two = with_program_grids(folders, _Library())
    assert one.folder.hints.grid is None
    assert two.folder.hints.grid == grid_of_program([BeatMarker(0.5, 128.0)])
