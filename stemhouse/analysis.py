"""What a track is to musicians: its beats, key and parts.

Times are seconds of the track's own audio, from its first frame. Beats are quarter notes, counted from the first
downbeat, which is beat 0; what lies before it has negative beats.
"""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

SECONDS_PER_MINUTE = 60.0
HIGHEST_BPM: float = 999
"""What Live and DJ programs can be set to at most, and so more than any tempo that is told."""


class GridSource(StrEnum):
    """Who said where the beats are."""

    AUDIO = "audio"
    TAG = "tag"
    DJ_PROGRAM = "dj_program"


@dataclass(frozen=True)
class GridMarker:
    """A beat that the grid is pinned to."""

    time_s: float
    beat: float


@dataclass(frozen=True)
class BeatGrid:
    """Where the beats are: linear between markers; before the first and after the last at the tempo next to them.

    There is at least one marker, the first is beat 0, and all are downbeats; times and beats strictly increase.
    One marker means one tempo throughout, `bpm`. Of a drifting grid `bpm` is the median over its time, and `end_bpm`
    the tempo after the last marker.
    """

    bpm: float
    markers: tuple[GridMarker, ...]
    end_bpm: float
    beats_per_bar: int = 4
    source: GridSource = GridSource.AUDIO

    @property
    def is_constant(self) -> bool:
        """Whether one tempo holds from beginning to end."""
        return len(self.markers) == 1

    def beat_at(self, time_s: float) -> float:
        """The beat, or the part of one, at a time."""
        index = bisect_right(self.markers, time_s, key=lambda marker: marker.time_s)
        marker, beats_per_s = self._segment(index)
        return marker.beat + (time_s - marker.time_s) * beats_per_s

    def time_at(self, beat: float) -> float:
        """The time at a beat."""
        index = bisect_right(self.markers, beat, key=lambda marker: marker.beat)
        marker, beats_per_s = self._segment(index)
        return marker.time_s + (beat - marker.beat) / beats_per_s

    def _segment(self, following: int) -> tuple[GridMarker, float]:
        """A marker to count from, and beats per second, of what lies before the marker with the index `following`."""
        start = max(following - 1, 0)
        if start + 1 == len(self.markers):
            return self.markers[start], self.end_bpm / SECONDS_PER_MINUTE
        marker, after = self.markers[start], self.markers[start + 1]
        return marker, (after.beat - marker.beat) / (after.time_s - marker.time_s)


@dataclass(frozen=True)
class MusicalKey:
    """A key as musicians (`Am`, `F#`) and as DJs write it (Camelot: `8A`), and how sure it is, from 0 to 1."""

    name: str
    camelot: str
    confidence: float


@dataclass(frozen=True)
class Section:
    """A part of a track; equal labels sound alike. Both ends lie on bars of the grid, or on the ends of the track."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True)
class AnalysisHints:
    """What is known of a track from elsewhere; 0, an empty text and None stand for what nobody says."""

    bpm: float = 0.0
    genre: str = ""
    grid: BeatGrid | None = None


@dataclass(frozen=True)
class TrackAnalysis:
    """What was found; `note` says why something was not.

    `grid` is None where there is no beat to be trusted, `key` where there is none. `sections` are in
    order and without gaps, or there are none.
    """

    duration_s: float
    grid: BeatGrid | None
    key: MusicalKey | None
    sections: tuple[Section, ...] = ()
    note: str = ""
