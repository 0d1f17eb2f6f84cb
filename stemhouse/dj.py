"""What is handed over to DJ programs: which of them, and what they are to know of a track."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.tracks import BeatMarker, Cue


class DJTarget(StrEnum):
    """Who takes the files: a program, or whoever plays NI's stem files (Traktor, Mixxx)."""

    REKORDBOX = "rekordbox"
    SERATO = "serato"
    TRAKTOR = "traktor"
    STEM_MP4 = "stem-mp4"

    @property
    def file_kind(self) -> str:
        """Equal for targets that take the same files."""
        return self.value if self in TARGET_FORMATS else STEM_FILE_KIND


STEM_FILE_KIND = "stem-file"
"""Of the targets that take one file of a track, with all stems in it."""

DJ_SAMPLE_FORMATS = (SampleFormat.PCM16, SampleFormat.PCM24)
"""Of files for DJs: never float, which players do not take."""

TARGET_FORMATS: Mapping[DJTarget, tuple[FileFormat, ...]] = {
    DJTarget.REKORDBOX: (FileFormat.AIFF, FileFormat.WAV),
    DJTarget.SERATO: (FileFormat.FLAC, FileFormat.AIFF),
}
"""What files of single stems are, the best choice first. The other targets take one stem file of a track."""


class StemChoice(StrEnum):
    """Which stems become files.

    DJ: acapella and instrumental. FOUR: vocals, drums, bass, and all else as other. ALL: acapella, instrumental, and
    each stem that is there.
    """

    DJ = "dj"
    FOUR = "four"
    ALL = "all"


@dataclass(frozen=True)
class OrganizeOptions:
    """Files of single stems for a target, which has a format of its own choice if none is named.

    `name_template` is of the names without their ending: any text with `{stem}`, and `{artist}`, `{title}`, `{bpm}`,
    `{camelot}`, `{engine}`. With `moves_origin` a known grid that counts the silence of an MP3 encoder is moved to
    where the drums are, and its cues with it. `sample_format` is one of DJ_SAMPLE_FORMATS.
    """

    target: DJTarget
    stems: StemChoice = StemChoice.DJ
    file_format: FileFormat | None = None
    name_template: str = "{title}_{stem}"
    moves_origin: bool = False
    sample_format: SampleFormat = SampleFormat.PCM24


@dataclass(frozen=True)
class StemFileOptions:
    """A stem file: ALAC, or AAC at 320 kbit/s a stream; the rest as in OrganizeOptions, without `{stem}`."""

    is_lossless: bool = False
    name_template: str = "{title}"
    moves_origin: bool = False


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


LARGEST_COVER_BYTES = 2 * 1024 * 1024
"""Of a picture that goes with a track."""


@dataclass(frozen=True)
class KnownTrack:
    """What a library tells of a track before anybody has listened to it; the title is the plain one.

    `program` is the one whose grid and cues these are, or empty. `cover_art` is a JPEG or PNG, or empty.
    """

    track: DJTrack = DJTrack("")
    program: str = ""
    cover_art: bytes = b""


@dataclass(frozen=True)
class DJOrder:
    """What goes with a folder of stems: what is known of its track, and a key by which a client finds what it got."""

    known: KnownTrack = KnownTrack()
    request_key: str = ""


@dataclass(frozen=True)
class TrackClue:
    """What the metadata.json of a folder of stems tells of the file that they were made of."""

    sha256: str
    size_bytes: int
    file_name: str
    duration_s: float


@dataclass(frozen=True)
class FoundTrack:
    """A track of the library that a clue has led to; of its crates outer and inner ones are joined with `/`.

    `crate_places` are its places in them, from 0, for whoever lists tracks; else empty. `folder` is that of its file as
    seen from the scanned folder that it is in, or else from the root, with `/`.
    """

    path: str
    known: KnownTrack
    crates: tuple[str, ...] = ()
    folder: str = ""
    crate_places: tuple[int, ...] = ()


@dataclass(frozen=True)
class DJFile:
    """An audio file and what is to be known of it.

    `location` is absolute on the machine where the program runs, with `/` as separator: `/Users/..`, `/Volumes/USB/..`,
    `C:/..` or `//server/share/..`.
    """

    location: str
    track: DJTrack
    size_bytes: int
    duration_s: float
    sample_rate_hz: int
    bits_per_s: int


@dataclass(frozen=True)
class Playlist:
    """A list with the names of the folders it is in, outer ones first, and the places of its files among all files."""

    path: tuple[str, ...]
    files: tuple[int, ...]


@dataclass(frozen=True)
class DJCollection:
    """Files, each once, and lists of them."""

    files: tuple[DJFile, ...]
    playlists: tuple[Playlist, ...]


@dataclass(frozen=True)
class PlaylistOptions:
    """Who takes the lists, where they will lie, and the root of the volume that the files are on.

    Places are as a DJFile's location.
    """

    target: DJTarget
    folder: str
    volume_root: str
