"""What is handed over to DJ programs: which of them, and what they are to know of a track."""

from dataclasses import dataclass
from enum import StrEnum

from stemhouse.tracks import BeatMarker, Cue


class DJTarget(StrEnum):
    """Who takes the files: a program, or whoever plays NI's stem files (Traktor, Mixxx)."""

    REKORDBOX = "rekordbox"
    SERATO = "serato"
    TRAKTOR = "traktor"
    STEM_MP4 = "stem-mp4"


@dataclass(frozen=True)
class DJTrack:
    """What a DJ program is to know of a file; an empty string or 0 stands for what nobody knows.

    `key` is musical (`Am`, `F#`), `color` is `#RRGGBB`. A locked grid is not to be analysed anew. Markers and cues are
    in order, in seconds of the file's own audio. `gain_db` is what players are told to add: the same for all files of a
    track, or their balance would go.
    """

    title: str
    artist: str = ""
    album: str = ""
    genre: str = ""
    comment: str = ""
    key: str = ""
    bpm: float = 0.0
    color: str = ""
    is_grid_locked: bool = False
    gain_db: float | None = None
    grid: tuple[BeatMarker, ...] = ()
    cues: tuple[Cue, ...] = ()
