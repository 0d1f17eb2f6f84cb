"""Beat grids that DJ programs have left in the library, as hints for the analysis of stems."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite

from stemhouse.analysis import SECONDS_PER_MINUTE, BeatGrid, GridMarker, GridSource
from stemhouse.client.dj import TrackFinder, clue_of
from stemhouse.client.stem_folders import LocalStems
from stemhouse.dj import FoundTrack
from stemhouse.tracks import BeatMarker
from stemhouse.wire.analysis import MOST_MARKERS

_BEATS_PER_BAR = 4
_FASTEST_BPM = 500.0
"""Twice what anybody dances to."""
_SAME_TEMPO_BPM, _SAME_PLACE_S = 0.005, 0.001
"""Programs write tempi with two decimals, and places in milliseconds."""


@dataclass(frozen=True)
class _Downbeat:
    """A beat that a bar begins on, counted from the first marker, and the tempo from there on."""

    beat: int
    time_s: float
    bpm: float

    def is_on_the_way_of(self, before: "_Downbeat") -> bool:
        """Whether whoever goes on from `before` comes here at the same time, and in the same tempo."""
        expected_s = before.time_s + (self.beat - before.beat) * SECONDS_PER_MINUTE / before.bpm
        return abs(self.bpm - before.bpm) <= _SAME_TEMPO_BPM and abs(self.time_s - expected_s) <= _SAME_PLACE_S


def with_program_grids(folders: Sequence[LocalStems], library: TrackFinder) -> list[LocalStems]:
    """The folders, with the grid that a DJ program has of their track as a hint; without one they stay as they are.

    Raises what the library raises, Unavailable above all.
    """
    found = library.find([clue_of(stems) for stems in folders], with_cover_art=False)
    return [_hinted(stems, found.get(place)) for place, stems in enumerate(folders)]


def _hinted(stems: LocalStems, found: FoundTrack | None) -> LocalStems:
    grid = grid_of_program(found.known.track.grid) if found else None
    if grid is None:
        return stems
    hints = replace(stems.folder.hints, grid=grid)
    return replace(stems, folder=replace(stems.folder, hints=hints))


def grid_of_program(markers: Sequence[BeatMarker]) -> BeatGrid | None:
    """The grid that markers of a DJ program describe, through downbeats; None if they describe none.

    The first downbeat is the first marker where nobody says which beat of a bar any of them is.
    """
    sound = [marker for marker in markers if isfinite(marker.position_s) and 0.0 < marker.bpm <= _FASTEST_BPM]
    beats = _counted(sound)
    if not beats or len(beats) > MOST_MARKERS or any(one >= two for one, two in pairwise(beats)):
        return None
    corners = _corners(list(_downbeats(sound, beats)))
    kept = tuple(GridMarker(corner.time_s, float(corner.beat - corners[0].beat)) for corner in corners)
    return BeatGrid(_median_bpm(corners), kept, corners[-1].bpm, _BEATS_PER_BAR, GridSource.DJ_PROGRAM)


def _counted(markers: Sequence[BeatMarker]) -> list[int]:
    """The beat of each marker, from 0."""
    beats = [0] if markers else []
    for marker, after in pairwise(markers):
        beats.append(beats[-1] + round((after.position_s - marker.position_s) * marker.bpm / SECONDS_PER_MINUTE))
    return beats


def _downbeats(markers: Sequence[BeatMarker], beats: Sequence[int]) -> Iterator[_Downbeat]:
    """The first downbeat from each marker on, unless the next marker comes before it."""
    told = (marker.bar_beat - 1 - beat for marker, beat in zip(markers, beats, strict=True) if marker.bar_beat)
    lead = next(told, 0)
    for marker, beat, end in zip(markers, beats, (*beats[1:], None), strict=True):
        ahead = -(beat + lead) % _BEATS_PER_BAR
        if end is None or beat + ahead < end:
            time_s = marker.position_s + ahead * SECONDS_PER_MINUTE / marker.bpm
            yield _Downbeat(beat + ahead, time_s, marker.bpm)


def _corners(downbeats: Sequence[_Downbeat]) -> list[_Downbeat]:
    """Without those that follow from the one before: rekordbox writes the same tempo again and again."""
    corners = list(downbeats[:1])
    for downbeat in downbeats[1:]:
        if not downbeat.is_on_the_way_of(corners[-1]):
            corners.append(downbeat)
    return corners


def _median_bpm(corners: Sequence[_Downbeat]) -> float:
    """By time; what comes after the last marker counts for nothing, unless it is all there is."""
    spans = sorted((one.bpm, two.time_s - one.time_s) for one, two in pairwise(corners))
    left_s = sum(length_s for _, length_s in spans) / 2
    for bpm, length_s in spans:
        left_s -= length_s
        if left_s <= 0.0:
            return bpm
    return corners[-1].bpm
