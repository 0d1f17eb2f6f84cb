"""What the library's core asks of the world.

Paths are absolute and as the file system gives them; a *prefix* is a folder's path with its trailing separator, so
that a path lies below the folder exactly if it starts with the prefix.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stemhouse.tracks import ScanProblem, Track


@dataclass(frozen=True)
class FileStamp:
    """What tells an unchanged file from a changed one without reading it."""

    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class FoundFile:
    """An audio file that a walk has met."""

    path: str
    stamp: FileStamp


@dataclass(frozen=True)
class CatalogueEntry:
    """A track, and the stamp of its file when the tags were read."""

    track: Track
    stamp: FileStamp


class FolderReader(Protocol):
    """Finds audio files on the machine of the library service; changes none."""

    def prefix(self, folder: str) -> str:
        """The normalised prefix of a folder, existing or not; raises InvalidRequest if it is not an absolute path."""

    def walk(self, prefix: str) -> Iterator[FoundFile | ScanProblem]:
        """Every audio file below, at any depth, in a stable order, or why a file or a folder could not be looked at.

        The path of a folder's problem ends with the separator. Raises NotFound if there is no such folder.
        """


class TagReader(Protocol):
    """Reads the tags of audio files."""

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """The track that the file holds, or why it cannot be read."""


class TrackCatalogue(Protocol):
    """Remembers tracks by path; every method raises Unavailable if the database does not answer.

    An empty prefix means all tracks. Order is that of the paths' code points.
    """

    def stamps(self, prefix: str) -> Mapping[str, FileStamp]:
        """The stamp of every track below, by path."""

    def upsert(self, entries: Sequence[CatalogueEntry]) -> None:
        """Add tracks, or replace those of the same path; all or none."""

    def remove(self, paths: Sequence[str]) -> None:
        """Forget tracks; unknown paths are no error."""

    def page(self, prefix: str, after: str, limit: int) -> Sequence[Track]:
        """The first `limit` tracks below whose path follows `after`, in order."""

    def count(self, prefix: str) -> int:
        """The number of tracks below."""
