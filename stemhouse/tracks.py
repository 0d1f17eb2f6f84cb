"""A DJ's files as the library service knows them."""

from dataclasses import dataclass
from enum import StrEnum


class CueKind(StrEnum):
    """What a mark in a track is for."""

    CUE = "cue"
    LOOP = "loop"
    FADE_IN = "fade_in"
    FADE_OUT = "fade_out"
    LOAD = "load"


@dataclass(frozen=True, slots=True)  # a large collection has a million
class Cue:
    """A mark that a DJ has set.

    `end_s` is that of a loop. `slot` is its pad, from 0; None is a memory cue, which has no pad. `color` is `#RRGGBB`,
    or empty.
    """

    kind: CueKind
    start_s: float
    end_s: float | None = None
    slot: int | None = None
    name: str = ""
    color: str = ""
    is_locked: bool = False


@dataclass(frozen=True, slots=True)  # likewise
class BeatMarker:
    """A beat that the grid is pinned to, and the tempo from there on; `bar_beat` is 1 to 4, 0 where nobody says."""

    position_s: float
    bpm: float
    bar_beat: int = 0


@dataclass(frozen=True)
class DJFacts:
    """What a DJ program knows of a track; empty strings and 0 stand for what it does not say.

    `program` is `serato`, `rekordbox` or `traktor`. A locked grid is one that its owner does not want analysed anew.
    """

    program: str
    artist: str = ""
    title: str = ""
    album: str = ""
    genre: str = ""
    key: str = ""
    bpm: float = 0.0
    duration_s: float = 0.0
    color: str = ""
    is_grid_locked: bool = False
    grid: tuple[BeatMarker, ...] = ()
    cues: tuple[Cue, ...] = ()


@dataclass(frozen=True)
class Track:
    """An audio file and its tags; an empty string or 0 stands for a tag that the file does not have.

    `crates` are those of all DJ libraries and playlists that name the file, outer and inner ones joined with `/`.
    `dj_facts` hold one value for each program that knows the track.
    """

    path: str
    size_bytes: int
    artist: str = ""
    title: str = ""
    album: str = ""
    genre: str = ""
    key: str = ""
    bpm: float = 0.0
    duration_s: float = 0.0
    crates: tuple[str, ...] = ()
    dj_facts: tuple[DJFacts, ...] = ()


@dataclass(frozen=True)
class RankedTrack:
    """A track's place in the order of work, from 1, and why, in a few words each."""

    place: int
    track: Track
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Crate:
    """A crate or playlist of a DJ library, and how many of its files are there and how many are missing."""

    name: str
    library: str
    track_count: int
    missing_count: int


class LibraryKind(StrEnum):
    """Where tracks and crates are read from; AUTO looks at what is there."""

    AUTO = "auto"
    FOLDER = "folder"
    SERATO = "serato"
    REKORDBOX = "rekordbox"
    TRAKTOR = "traktor"
    M3U = "m3u"
    S3 = "s3"


@dataclass(frozen=True)
class ScanProblem:
    """A file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ScanProgress:
    """Counts of a scan so far; `problems` are those since the last report.

    `missing_count` are files that crates name and that are not there, `own_count` files that Stemhouse itself wrote.
    """

    found_count: int = 0
    added_count: int = 0
    updated_count: int = 0
    unchanged_count: int = 0
    removed_count: int = 0
    missing_count: int = 0
    own_count: int = 0
    crate_count: int = 0
    problems: tuple[ScanProblem, ...] = ()
    is_complete: bool = False


@dataclass(frozen=True)
class ProbeProgress:
    """How many tracks of how many were listened to, and the one that could not be just now."""

    done_count: int
    total_count: int
    problem: ScanProblem | None = None


@dataclass(frozen=True)
class TrackPage:
    """Some tracks in path order; an empty token ends the listing."""

    tracks: tuple[Track, ...]
    next_page_token: str
    total_count: int


@dataclass(frozen=True)
class RankedPage:
    """Some tracks in the order of work; an empty token ends the listing."""

    tracks: tuple[RankedTrack, ...]
    next_page_token: str
    total_count: int
