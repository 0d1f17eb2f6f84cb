"""A DJ's files as the library service knows them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Track:
    """An audio file and its tags; an empty string or 0 stands for a tag that the file does not have."""

    path: str
    size_bytes: int
    artist: str = ""
    title: str = ""
    album: str = ""
    genre: str = ""
    key: str = ""
    bpm: float = 0.0
    duration_s: float = 0.0


@dataclass(frozen=True)
class ScanProblem:
    """A file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ScanProgress:
    """Counts of a scan so far; `problems` are those since the last report."""

    found_count: int = 0
    added_count: int = 0
    updated_count: int = 0
    unchanged_count: int = 0
    removed_count: int = 0
    problems: tuple[ScanProblem, ...] = ()
    is_complete: bool = False


@dataclass(frozen=True)
class TrackPage:
    """Some tracks in path order; an empty token ends the listing."""

    tracks: tuple[Track, ...]
    next_page_token: str
    total_count: int
