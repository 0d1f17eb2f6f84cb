"""What DJ programs have left at a location of this machine. Nothing is ever written there."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.library.adapters.dj_library_files import (
    PLAYLIST_EXTENSIONS,
    SERATO_DATABASES,
    SERATO_FOLDER,
    kind_of,
    read_library_file,
    read_playlists,
)
from services.library.adapters.s3_folders import is_s3
from services.library.adapters.serato_library import read_serato_crates, read_serato_database
from services.library.adapters.volumes import Volumes
from services.library.core.locations import PathMap, candidate_paths
from services.library.core.ports import LibrarySource, NamedFile
from stemhouse.errors import InvalidRequest, LibraryRejected, NotFound
from stemhouse.tracks import LibraryKind

_DATABASE_FOLDER, _CRATES_FOLDER, _ORDER_FILE = "Library", "Subcrates", "neworder.pref"
_LOGS = ("-wal", "-journal")
"""Beside a database, with changes that it does not hold yet."""
_PARTS_OF_SERATO = (".crate", ".scrate")
_FILES = (LibraryKind.REKORDBOX, LibraryKind.TRAKTOR, LibraryKind.M3U)


@dataclass(frozen=True)
class LiveSerato:
    """Where Serato 4 keeps the library of an internal drive: not in `_Serato_`, which its music folder has, too."""

    music_folder: Path
    database_folder: Path


class DJLibraries:
    """LibraryReader over the file system."""

    def __init__(self, live: LiveSerato | None = None) -> None:
        """Keep where Serato's own library may be; it is read with the music folder's."""
        self._live = live

    def kind(self, location: str, kind: LibraryKind) -> LibraryKind:
        """See LibraryReader.kind. AUTO takes a folder that holds `_Serato_` among its music for a folder."""
        if is_s3(location):
            return LibraryKind.S3
        try:
            return _checked_kind(location, kind, self._live)
        except OSError as error:
            message = f"{location}: the library service cannot look at it: {error.strerror}"
            raise InvalidRequest(message, {"location": message}) from error

    def fingerprint(self, location: str, kind: LibraryKind) -> str:
        """See LibraryReader.fingerprint."""
        digest, is_empty = hashlib.sha256(), True
        for file in _files_of(location, kind, self._live):
            try:
                facts = file.stat()
            except OSError:
                continue
            digest.update(os.fsencode(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}\n"))
            is_empty = False
        return "" if is_empty else digest.hexdigest()

    def read(self, location: str, kind: LibraryKind) -> Sequence[LibrarySource]:
        """See LibraryReader.read."""
        with _readable(location):
            return self._read(location, kind)

    def _read(self, location: str, kind: LibraryKind) -> Sequence[LibrarySource]:
        path = Path(location)
        if kind in _FILES:
            return (LibrarySource(kind, str(path.parent), read_library_file(path)),)
        serato = _SeratoPlace(path, self._live).sources()
        if kind is LibraryKind.FOLDER:
            return (*serato, LibrarySource(LibraryKind.M3U, str(path), read_playlists(path)))
        if kind is LibraryKind.SERATO and not serato:
            raise LibraryRejected(f"{location}: no crates and no database of Serato")
        return serato

    def finder(self, path_maps: Sequence[PathMap]) -> Callable[[NamedFile], str | None]:
        """See LibraryReader.finder."""
        volumes, has_drives = Volumes(), os.name == "nt"

        def find(named: NamedFile) -> str | None:
            paths = candidate_paths(named.location, named.kind, named.folder, path_maps, has_drives=has_drives)
            return volumes.resolve(paths)

        return find


def _checked_kind(location: str, kind: LibraryKind, live: LiveSerato | None) -> LibraryKind:
    path = Path(location)
    if not path.exists():
        raise NotFound(f"{location} is not there", {"location": location})
    if path.is_file() and path.suffix.lower() in _PARTS_OF_SERATO:
        raise LibraryRejected(f"{location}: a part of Serato's library; name the folder that holds {SERATO_FOLDER}")
    found = _found_kind(path)
    is_possible = kind in {LibraryKind.AUTO, found} or (path.is_dir() and kind is LibraryKind.FOLDER)
    if found and is_possible:
        return found if kind is LibraryKind.AUTO else kind
    if kind is LibraryKind.SERATO and path.is_dir() and _SeratoPlace(path, live).is_there:
        return kind
    wanted = "library of a known kind" if kind is LibraryKind.AUTO else f"library of kind {kind.value}"
    raise LibraryRejected(f"{location}: no {wanted}", {"location": location})


def _found_kind(path: Path) -> LibraryKind | None:
    """Serato's own folders are libraries; a folder of music in which one lies is a folder."""
    if not path.is_dir():
        return kind_of(path)
    is_serato = path.name == SERATO_FOLDER or any((path / name).is_file() for name in SERATO_DATABASES)
    return LibraryKind.SERATO if is_serato else LibraryKind.FOLDER


class _SeratoPlace:
    """Serato's files at a path: a volume, `_Serato_`, the folder of the database, or the database.

    Of the user's music folder the live library is one of them, wherever Serato keeps it.
    """

    def __init__(self, path: Path, live: LiveSerato | None) -> None:
        folder = path.parent if path.is_file() else path
        inside = folder.parent if folder.name == _DATABASE_FOLDER and folder.parent.name == SERATO_FOLDER else folder
        if inside.name != SERATO_FOLDER and (inside / SERATO_FOLDER).is_dir():
            inside = inside / SERATO_FOLDER
        self._folder = inside
        self._root = inside.parent if inside.name == SERATO_FOLDER else inside
        self._file = path if path.is_file() else None
        is_live = live is not None and not self._file and _is_same(self._root, live.music_folder)
        self._live_folders = (live.database_folder,) if live and is_live else ()

    @property
    def is_there(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._databases()) or self._has_crates()

    def files(self) -> Iterator[Path]:
        """All that is read, and the logs of the databases."""
        for database in self._databases():
            yield database
            yield from (database.with_name(database.name + suffix) for suffix in _LOGS)
        if self._has_crates():
            yield self._folder / _ORDER_FILE
            yield from sorted((self._folder / _CRATES_FOLDER).iterdir())

    def sources(self) -> tuple[LibrarySource, ...]:
        """The databases, which Serato 4 goes by, before the crates that it may have left behind."""
        libraries = [read_serato_database(database) for database in self._databases()]
        if self._has_crates():
            libraries.append(read_serato_crates(self._folder))
        return tuple(LibrarySource(LibraryKind.SERATO, str(self._root), library) for library in libraries)

    def _databases(self) -> list[Path]:
        """The one in use first."""
        if self._file:
            return [self._file]
        found = [_database((folder,)) for folder in self._live_folders]
        found.append(_database((self._folder, self._folder / _DATABASE_FOLDER)))
        return [file for file in found if file]

    def _has_crates(self) -> bool:
        return self._folder.name == SERATO_FOLDER and not self._file and (self._folder / _CRATES_FOLDER).is_dir()


def _database(folders: Iterable[Path]) -> Path | None:
    files = (folder / name for folder in folders for name in SERATO_DATABASES)
    return next((file for file in files if file.is_file()), None)


def _is_same(folder: Path, other: Path) -> bool:
    return folder.exists() and other.exists() and folder.samefile(other)


@contextmanager
def _readable(location: str) -> Iterator[None]:
    """Tells as LibraryRejected what cannot be looked at."""
    try:
        yield
    except OSError as error:
        raise LibraryRejected(f"{error.filename or location}: cannot be read: {error.strerror}") from error


def _files_of(location: str, kind: LibraryKind, live: LiveSerato | None) -> list[Path]:
    """The files that `read` reads; raises LibraryRejected if they cannot be found out."""
    with _readable(location):
        return list(_walked_files(Path(location), kind, live))


def _walked_files(path: Path, kind: LibraryKind, live: LiveSerato | None) -> Iterator[Path]:
    if kind in _FILES:
        yield path
    if kind in {LibraryKind.FOLDER, LibraryKind.SERATO}:
        yield from _SeratoPlace(path, live).files()
    if kind is LibraryKind.FOLDER:
        yield from _playlists(path)


def _playlists(folder: Path) -> Iterator[Path]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(PLAYLIST_EXTENSIONS) and not name.startswith("."):
                yield Path(place, name)
