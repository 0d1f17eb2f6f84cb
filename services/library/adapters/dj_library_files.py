"""What kind of DJ library a file or folder is, and the kinds that are one file. Nothing is ever written there."""

import os
import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import BinaryIO

from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry, with_crate_entries
from services.library.core.locations import is_absolute
from services.library.core.m3u import is_m3u, is_text, read_m3u
from services.library.core.rekordbox_xml import REKORDBOX_ROOT, read_rekordbox_xml
from services.library.core.traktor_nml import TRAKTOR_ROOT, read_traktor_nml
from services.library.core.xml_reading import root_name
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import LibraryKind

PLAYLIST_EXTENSIONS = (".m3u", ".m3u8")
"""Compared without regard to case."""
SERATO_FOLDER = "_Serato_"
SERATO_DATABASES = ("root.sqlite", "location.sqlite", "master.sqlite")
_SQLITE, _SERATO_FILE = b"SQLite format 3\0", b"vrsn\0\0"
_ROOTS = {REKORDBOX_ROOT: LibraryKind.REKORDBOX, TRAKTOR_ROOT: LibraryKind.TRAKTOR}
_READERS: Mapping[LibraryKind | None, Callable[[BinaryIO], DJLibrary]] = {
    LibraryKind.REKORDBOX: read_rekordbox_xml,
    LibraryKind.TRAKTOR: read_traktor_nml,
}
_HEAD_BYTES = 1 << 16
_LARGEST_BYTES = 1 << 30
"""Of a collection; one of 50,000 tracks with grids has a fifth of it."""
_LARGEST_PLAYLIST_BYTES = 1 << 25


def kind_of(path: Path) -> LibraryKind | None:
    """What a file is by its contents, what a folder is by what lies in it; None if it is not there, or no library."""
    try:
        if path.is_dir():
            return _kind_of_folder(path)
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            return _kind_of_file(path, stream.read(_HEAD_BYTES))
    except OSError:
        return None


def read_library_file(file: Path) -> DJLibrary:
    """The collection of rekordbox or Traktor, or the playlist, that a file is.

    Locations are as the program writes them: see `candidate_paths`. Raises LibraryRejected if it is none of these, or
    if it cannot be read; what is damaged or cut in one is a warning.
    """
    try:
        return _read(file)
    except OSError as error:
        raise LibraryRejected(f"{file}: cannot be read: {error.strerror}") from error
    except LibraryRejected as error:
        raise LibraryRejected(f"{file}: {error.message}") from error


def read_playlists(folder: Path) -> DJLibrary:
    """The playlists in a folder and those below it, by name, with subfolders as outer crates.

    Locations are absolute, or relative to `folder`. A playlist that cannot be read is a warning.
    """
    warnings: list[str] = []
    crates: list[CrateListing] = []
    for file in _playlist_files(folder, warnings):
        place = PurePath(_printable(str(file.relative_to(folder))))
        try:
            playlist = _read_playlist(file)
        except OSError as error:
            warnings.append(f"{place}: cannot be read: {error.strerror}")
        except LibraryRejected as error:
            warnings.append(f"{place}: {error.message}")
        else:
            crates += [_from_outside(crate, place.parent) for crate in playlist.crates]
            warnings += [f"{place}: {warning}" for warning in playlist.warnings]
    no_facts: Mapping[str, LibraryEntry] = {}
    return DJLibrary(with_crate_entries(no_facts, crates), tuple(crates), tuple(warnings))


def _kind_of_folder(folder: Path) -> LibraryKind:
    is_serato = folder.name == SERATO_FOLDER or (folder / SERATO_FOLDER).is_dir()
    has_database = any((folder / name).is_file() for name in SERATO_DATABASES)
    return LibraryKind.SERATO if is_serato or has_database else LibraryKind.FOLDER


def _kind_of_file(file: Path, head: bytes) -> LibraryKind | None:
    if head.startswith(_SERATO_FILE) or (head.startswith(_SQLITE) and file.name.lower() in SERATO_DATABASES):
        return LibraryKind.SERATO
    is_named_playlist = file.name.lower().endswith(PLAYLIST_EXTENSIONS) and is_text(head)
    if is_m3u(head):
        return LibraryKind.M3U
    return _ROOTS.get(root_name(head)) or (LibraryKind.M3U if is_named_playlist else None)


def _read(file: Path) -> DJLibrary:
    if not file.is_file():
        raise LibraryRejected("it is not there, or no file")
    with file.open("rb") as stream:
        kind = _kind_of_file(file, stream.read(_HEAD_BYTES))
        _check_size(stream, _LARGEST_BYTES)
        stream.seek(0)
        if kind in _READERS:
            return _READERS[kind](stream)
    if kind is not LibraryKind.M3U:
        raise LibraryRejected("no XML of rekordbox, no NML of Traktor and no M3U playlist")
    return _read_playlist(file)


def _check_size(stream: BinaryIO, largest_bytes: int) -> None:
    size_bytes = os.fstat(stream.fileno()).st_size
    if size_bytes > largest_bytes:
        raise LibraryRejected(f"{size_bytes} bytes are too many; at most {largest_bytes} are read")


def _read_playlist(file: Path) -> DJLibrary:
    with file.open("rb") as stream:
        _check_size(stream, _LARGEST_PLAYLIST_BYTES)
        is_utf8 = file.name.lower().endswith(".m3u8")
        return read_m3u(stream.read(), _printable(file.name), is_utf8=is_utf8)


def _playlist_files(folder: Path, warnings: list[str]) -> Iterator[Path]:
    """Without hidden ones, the `._` companions of macOS among them; links to folders are not followed."""

    def note(error: OSError) -> None:
        warnings.append(f"{_printable(str(error.filename))}: cannot be read: {error.strerror}")

    for place, subfolders, names in os.walk(folder, onerror=note):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(PLAYLIST_EXTENSIONS) and not name.startswith("."):
                try:
                    is_file = Path(place, name).is_file()
                except OSError as error:
                    note(error)
                    continue
                if is_file:
                    yield Path(place, name)


def _from_outside(crate: CrateListing, subfolder: PurePath) -> CrateListing:
    """A playlist of a subfolder, as the folder that holds it sees it."""
    locations = (
        location if is_absolute(location) else posixpath.join(*subfolder.parts, location)
        for location in crate.locations
    )
    return CrateListing((*subfolder.parts, *crate.path), tuple(locations))


def _printable(path: str) -> str:
    return os.fsencode(path).decode(errors="replace")
