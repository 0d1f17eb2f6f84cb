"""What the library's core asks of the world.

Paths are absolute and as the file system gives them; those of an object store are `s3://bucket/key`. A *prefix* is the
path of a folder, or of a file that is a DJ library, with a trailing separator: a path lies below exactly if it starts
with the prefix. Tracks of a prefix are those below it, and those that libraries at the prefix or below it name. The
empty prefix means everything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.library.core.dj_library import DJLibrary
from services.library.core.locations import PathMap
from stemhouse.tracks import Crate, DJFacts, LibraryKind, ScanProblem, Track


@dataclass(frozen=True, slots=True)  # a scan holds one for each file
class FileStamp:
    """What tells an unchanged file from a changed one without reading it."""

    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class FoundFile:
    """An audio file; `real_path` is set where links lead to it."""

    path: str
    stamp: FileStamp
    real_path: str = ""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that Stemhouse has delivered."""

    path: str


@dataclass(frozen=True)
class CatalogueEntry:
    """A track as its file tells it, the stamp of the file when it was read, and where links lead to."""

    track: Track
    stamp: FileStamp
    real_path: str = ""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file as a DJ library names it; see `locations.candidate_paths`."""

    location: str
    kind: LibraryKind
    folder: str


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that a library named when it was scanned last, and its path; empty if it was missing."""

    named: NamedFile
    path: str


@dataclass(frozen=True, slots=True)
class LibraryFile:
    """A file that a library names, its path or an empty text, and what the program knows of it."""

    named: NamedFile
    path: str
    facts: DJFacts | None


@dataclass(frozen=True)
class FiledCrate:
    """A crate and its files, as positions in the library's sequence of files."""

    name: str
    positions: tuple[int, ...]


@dataclass(frozen=True)
class LibraryRecord:
    """A location as it was scanned; `fingerprint` is that of `LibraryReader`."""

    prefix: str
    kind: LibraryKind
    fingerprint: str
    path_maps: tuple[PathMap, ...] = ()


@dataclass(frozen=True)
class LibrarySource:
    """What one program says at a location, and how its way of naming files is to be read."""

    kind: LibraryKind
    folder: str
    library: DJLibrary


@dataclass(frozen=True)
class VocalShare:
    """How much of a track is sung, 0 to 1: of all of it, as it was separated, or of a few excerpts (`is_probed`)."""

    share: float
    is_probed: bool


@dataclass(frozen=True, slots=True)  # a listing in the order of work holds one for each file
class Candidate:
    """What a file's place in the order of work depends on; `vocal_share` as in VocalShare, or None."""

    path: str
    size_bytes: int
    modified_ns: int
    duration_s: float
    title: str
    genre: str
    bpm: float
    vocal_share: float | None = None
    is_probed: bool = False


class FolderReader(Protocol):
    """Finds audio files where the library service can see them; changes none."""

    def prefix(self, folder: str) -> str:
        """The normalised prefix of a location, existing or not; raises InvalidRequest if it is not an absolute path."""

    def walk(self, prefix: str) -> Iterator[FoundFile | OwnFile | ScanProblem]:
        """Every audio file below, at any depth, in a stable order, or why a file or a folder could not be looked at.

        The path of a folder's problem ends with the separator. Raises NotFound if there is no such folder.
        """

    def look(self, path: str) -> FoundFile | OwnFile | ScanProblem:
        """One file, whatever its name."""

    def is_bare(self, prefix: str) -> bool:
        """Whether the folder is there and holds nothing at all, as the place does where a volume was mounted."""

    def is_away(self, path: str) -> bool:
        """Whether a file that cannot be found may lie on a volume that is not mounted."""


class TagReader(Protocol):
    """Reads the tags of audio files."""

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """The track that the file holds, or why it cannot be read, whatever a parser makes of it."""


class LibraryReader(Protocol):
    """Reads what DJ programs have written; changes nothing."""

    def kind(self, location: str, kind: LibraryKind) -> LibraryKind:
        """The kind, or what AUTO turns out to be.

        Raises NotFound, InvalidRequest if it may not be looked at, and LibraryRejected for what is of no such kind.
        """

    def fingerprint(self, location: str, kind: LibraryKind) -> str:
        """Another text if any file that `read` would read has changed; empty if there is none.

        Raises LibraryRejected if that cannot be told.
        """

    def read(self, location: str, kind: LibraryKind) -> Sequence[LibrarySource]:
        """What is there, the programs' databases first. Raises LibraryRejected."""

    def finder(self, path_maps: Sequence[PathMap]) -> Callable[[NamedFile], str | None]:
        """Tells the path of a file as the file system spells it, without links; None if it is not there.

        It is for one scan: what it has seen of folders it remembers.
        """


class TrackCatalogue(Protocol):
    """Remembers tracks by path; every method raises Unavailable if the database does not answer.

    Order is that of the paths' code points. Values that a file does not tell are those of the DJ libraries that name
    it, the first library that has one.
    """

    def stamps(self, prefix: str) -> Mapping[str, FileStamp]:
        """The stamp of every track whose path lies below, by path."""

    def stamps_of(self, paths: Sequence[str]) -> Mapping[str, FileStamp]:
        """The stamps of those paths that are known; at most some hundred."""

    def unread(self) -> Sequence[str]:
        """The paths of tracks of which nothing but the name is known: neither a length nor a tag of the file."""

    def upsert(self, entries: Sequence[CatalogueEntry]) -> None:
        """Add tracks, or replace those of the same path; all or none."""

    def remove(self, paths: Sequence[str]) -> None:
        """Forget tracks; unknown paths are no error. For libraries that name them they are missing from then on."""

    def page(self, prefix: str, after: str, limit: int) -> Sequence[Track]:
        """The first `limit` tracks of the prefix whose path follows `after`, in order."""

    def tracks(self, paths: Sequence[str]) -> Mapping[str, Track]:
        """Those of the paths that are known; at most some thousand."""

    def count(self, prefix: str) -> int:
        """The number of tracks of the prefix."""

    def candidates(self, prefix: str) -> Iterable[Candidate]:
        """All tracks of the prefix, in no order."""

    def record_vocals(self, path: str, stamp: FileStamp, vocals: VocalShare) -> None:
        """Remember how much of a track is sung, until its file changes.

        A path that is unknown, or whose file is known as another one by now, is no error.
        """

    def vocals(self, path: str, stamp: FileStamp) -> VocalShare | None:
        """What was recorded for the file as it is."""

    def revision(self) -> int:
        """Another number after each change that this process has made."""


class LibraryCatalogue(Protocol):
    """Remembers locations that were scanned, and the crates of DJ libraries; raises Unavailable likewise."""

    def record(self, prefix: str) -> LibraryRecord | None:
        """Of exactly that location; None if it was not scanned."""

    def files(self, prefix: str) -> Sequence[KnownFile]:
        """What the library of exactly that location names, by position."""

    def filed_crates(self, prefix: str) -> Sequence[FiledCrate]:
        """The crates of the library of exactly that location."""

    def replace(self, record: LibraryRecord, files: Sequence[LibraryFile], crates: Sequence[FiledCrate]) -> None:
        """Take all that is known of a location for another; all or nothing."""

    def repoint(self, prefix: str, paths: Mapping[int, str]) -> None:
        """Note the scan of an unchanged library, and new paths by position."""

    def unclaimed(self, paths: Sequence[str]) -> Sequence[str]:
        """Those of the tracks that lie below no scanned folder, and that no library names."""

    def aliases(self) -> Mapping[str, str]:
        """The paths of tracks that links lead to, by their real paths."""

    def crates(self, prefix: str) -> Sequence[Crate]:
        """The crates of libraries at the prefix and below, by library and in their order."""

    def crate_places(self, prefix: str) -> Iterable[tuple[str, int, int]]:
        """Path, index in `crates(prefix)`, and place in the crate, of each file that is there; in that order."""

    def revision(self) -> int:
        """Another number after each change that this process has made."""
