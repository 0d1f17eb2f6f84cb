"""Audio files as DJ programs see them, and the lists that they are in."""

from dataclasses import dataclass

from stemhouse.dj import DJTrack


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
