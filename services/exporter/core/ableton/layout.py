"""Where a song lies in a set: its warp markers, the ends of its clips, and its parts on bars.

One count of beats serves all: beat 0 is bar 1.1.1 of the arrangement, and clips count their beats alike, in the session
too. So all tracks of a song have the same markers, and nothing is negative.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from services.exporter.core.ableton.model import LiveSet, LiveSong
from stemhouse.analysis import BeatGrid, GridMarker, Section

HIDDEN_MARKER_BEATS = 1 / 32
"""Live ends a list of markers with one that nobody sees, so far behind the last: it tells the tempo from there on."""

_BAR_TOLERANCE = 1e-3
"""In bars: what is as near to a bar line is on it."""

_ROUNDING = 1e-9
"""In bars: what differs by this comes of arithmetic."""


@dataclass(frozen=True)
class WarpPoint:
    """A time in the file and its beat."""

    time_s: float
    beat: float


@dataclass(frozen=True)
class Span:
    """From beat to beat, with a name that may be empty."""

    start: float
    end: float
    name: str = ""


@dataclass(frozen=True)
class SongLayout:
    """A song in beats: `whole` from the first frame to the last, and what its scenes and locators are made of.

    `scenes` begin on bars. `are_sections` says that they also end there, and go on until another one is launched;
    otherwise there is one, which plays the song. `cues` are beginnings of sections.
    """

    points: tuple[WarpPoint, ...]
    whole: Span
    scenes: tuple[Span, ...]
    are_sections: bool
    cues: tuple[tuple[float, str], ...]


def lay_out(live_set: LiveSet) -> tuple[SongLayout, ...]:
    """All songs of a set; their first downbeats share the earliest bar line that leaves room for what is before it."""
    beats_per_bar = live_set.songs[0].grid.beats_per_bar
    before = max(-song.grid.beat_at(0.0) for song in live_set.songs)
    downbeat = max(math.ceil(before / beats_per_bar - _ROUNDING), 0) * beats_per_bar
    return tuple(song_layout(song, float(downbeat)) for song in live_set.songs)


def song_layout(song: LiveSong, downbeat: float) -> SongLayout:
    """A song whose first downbeat is at a beat of the arrangement."""
    duration_s = min(track.sample.frame_count / track.sample.sample_rate_hz for track in song.tracks)
    bars = _Bars(song.grid, downbeat)
    # A first frame on the first bar line may lie a rounding before it.
    whole = Span(max(bars.beat_at(0.0), 0.0), bars.beat_at(duration_s))
    sections = tuple(_sections(song, bars, whole))
    return SongLayout(
        points=tuple(_points(song.grid, duration_s, downbeat)),
        whole=whole,
        scenes=sections or (Span(_first_bar(bars, whole), whole.end),),
        are_sections=bool(sections),
        cues=tuple((_cue(bars, section, whole), section.label) for section in song.sections),
    )


class _Bars:
    """The bars of a song in the arrangement."""

    def __init__(self, grid: BeatGrid, downbeat: float) -> None:
        self._grid = grid
        self._downbeat = downbeat

    def beat_at(self, time_s: float) -> float:
        return self._downbeat + self._grid.beat_at(time_s)

    def before(self, beat: float) -> float:
        """The last bar line that is not after a beat."""
        return self._line(math.floor(self._bar(beat) + _BAR_TOLERANCE))

    def after(self, beat: float) -> float:
        """The first bar line that is not before a beat."""
        return self._line(math.ceil(self._bar(beat) - _BAR_TOLERANCE))

    def _bar(self, beat: float) -> float:
        return (beat - self._downbeat) / self._grid.beats_per_bar

    def _line(self, bar: int) -> float:
        return self._downbeat + bar * self._grid.beats_per_bar


def _points(grid: BeatGrid, duration_s: float, downbeat: float) -> Iterator[WarpPoint]:
    """The grid's markers within the file, and the hidden one behind them.

    Where the first lies before the file, the first frame takes its place.
    """
    inside = [marker for marker in grid.markers if 0.0 <= marker.time_s < duration_s]
    if grid.markers[0].time_s < 0.0 and (not inside or inside[0].time_s > 0.0):
        inside.insert(0, GridMarker(0.0, grid.beat_at(0.0)))
    inside = inside or [grid.markers[0]]
    hidden_beat = inside[-1].beat + HIDDEN_MARKER_BEATS
    for marker in (*inside, GridMarker(grid.time_at(hidden_beat), hidden_beat)):
        yield WarpPoint(marker.time_s, downbeat + marker.beat)


def _sections(song: LiveSong, bars: _Bars, whole: Span) -> Iterator[Span]:
    """The whole bars of each section; one that is shorter than a bar is left out."""
    for section in song.sections:
        start, end = bars.after(bars.beat_at(section.start_s)), bars.before(bars.beat_at(section.end_s))
        span = Span(max(start, whole.start), min(end, whole.end), section.label)
        if span.start < span.end:
            yield span


def _first_bar(bars: _Bars, whole: Span) -> float:
    """The first bar line within a song; its beginning if there is none."""
    start = max(bars.after(whole.start), whole.start)
    return start if start < whole.end else whole.start


def _cue(bars: _Bars, section: Section, whole: Span) -> float:
    """Where a section begins: on its bar line, or where the song does."""
    beat = bars.beat_at(section.start_s)
    line = bars.before(beat)
    return max(line if bars.after(beat) == line else beat, whole.start)
