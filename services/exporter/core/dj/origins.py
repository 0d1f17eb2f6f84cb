"""Whether a grid that was made elsewhere lies on the drums, or counts a silence that our decoder leaves out.

An MP3 encoder puts some silence before the music: with LAME 1105 samples, 25 ms, or a frame of 26 ms where the first
one is played, too. Some programs cut it off, others do not, and no tag says which one has made a grid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from stemhouse.analysis import SECONDS_PER_MINUTE, BeatGrid
from stemhouse.dj import DJTrack
from stemhouse.tracks import BeatMarker, Cue

SHORTEST_ORIGIN_S, LONGEST_ORIGIN_S = 0.018, 0.034
"""20 to 30 ms, and what two grids may be off by themselves."""

_STRAY_S = 0.008
_LEAST_STEADY = 0.8
_LEAST_BEATS = 16
_BEATS_OF_BAR = 4
_INAUDIBLE_S = 0.001


@dataclass(frozen=True)
class Disagreement:
    """How much later than the drums a grid has its beats, in seconds; negative: earlier."""

    late_s: float

    @property
    def is_of_an_origin(self) -> bool:
        """Whether it is as large as the silence of an encoder."""
        return SHORTEST_ORIGIN_S <= abs(self.late_s) <= LONGEST_ORIGIN_S

    def origin_s(self, trimmed_s: float) -> float:
        """By how much the grid counts another origin, where our decoder has cut `trimmed_s` off.

        A program that does not cut it counts just that: beats are heard some milliseconds from where a DJ sets them.
        """
        is_what_was_cut = trimmed_s > 0.0 and abs(self.late_s - trimmed_s) <= _STRAY_S
        return trimmed_s if is_what_was_cut else self.late_s


def disagreement(grid: Sequence[BeatMarker], heard: BeatGrid | None, duration_s: float) -> Disagreement | None:
    """Between a grid and the beats that were heard; None where it is not the same from beginning to end.

    Beats are compared with the nearest of those heard, or with what lies midway, since either may go at half the tempo
    of the other.
    """
    if not grid or heard is None:
        return None
    times_s = [time_s for time_s in _beats_s(grid, duration_s) if time_s >= 0.0]
    late_s = np.array([time_s - heard.time_at(round(2 * heard.beat_at(time_s)) / 2) for time_s in times_s])
    if len(late_s) < _LEAST_BEATS:
        return None
    median_s = float(np.median(late_s))
    is_steady = np.mean(np.abs(late_s - median_s) <= _STRAY_S) >= _LEAST_STEADY
    return Disagreement(median_s) if is_steady else None


def _beats_s(grid: Sequence[BeatMarker], duration_s: float) -> Iterator[float]:
    """Of each marker those up to the next one."""
    ends_s = [following.position_s for _, following in pairwise(grid)]
    for marker, end_s in zip(grid, (*ends_s, duration_s), strict=True):
        count = round((end_s - marker.position_s) * marker.bpm / SECONDS_PER_MINUTE) if marker.bpm else 0
        yield from (marker.position_s + beat * SECONDS_PER_MINUTE / marker.bpm for beat in range(count))


def moved(track: DJTrack, by_s: float) -> DJTrack:
    """The track with grid and cues elsewhere; what would lie before its beginning lies there, or a beat later."""
    grid = tuple(_started(replace(marker, position_s=marker.position_s + by_s)) for marker in track.grid)
    return replace(track, grid=grid, cues=tuple(_moved_cue(cue, by_s) for cue in track.cues))


def _started(marker: BeatMarker) -> BeatMarker:
    if marker.position_s > -_INAUDIBLE_S or not marker.bpm:
        return replace(marker, position_s=max(0.0, marker.position_s))
    bar_beat = marker.bar_beat % _BEATS_OF_BAR + 1 if marker.bar_beat else 0
    return replace(marker, position_s=marker.position_s + SECONDS_PER_MINUTE / marker.bpm, bar_beat=bar_beat)


def _moved_cue(cue: Cue, by_s: float) -> Cue:
    end_s = None if cue.end_s is None else max(0.0, cue.end_s + by_s)
    return replace(cue, start_s=max(0.0, cue.start_s + by_s), end_s=end_s)
