"""Audio files in the folders of this machine."""

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePath

from services.library.core.own_files import (
    DEEPEST_TREE,
    LARGEST_METADATA_BYTES,
    LARGEST_RECORD_BYTES,
    METADATA,
    comparable_name,
    own_names,
    own_paths,
)
from services.library.core.ports import FileStamp, FoundFile, OwnFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.production import TREE_RECORD
from stemhouse.tracks import ScanProblem

AUDIO_EXTENSIONS = (
    *(".aac", ".aif", ".aifc", ".aiff", ".flac", ".m4a", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".wav", ".wma"),
)
"""What ingest takes and has tags that can be read. Compared without regard to case."""
_MOUNT_FOLDERS = ("/", "/Volumes", "/media", "/media/*", "/mnt", "/run/media", "/run/media/*")
"""Where systems make a folder for each volume, and take it away with it."""

_Directory = tuple[int, int]
"""Device and inode."""


class DiskFolders:
    """FolderReader over the file system.

    Names that begin with a dot (hidden files, `._*` of macOS) are passed over. Links are followed; a folder that is
    met twice is walked once, so a loop of links ends. A link to a file that the walk meets anyway is passed over.
    """

    def prefix(self, folder: str) -> str:
        """See FolderReader.prefix."""
        if not Path(folder).is_absolute() or "\0" in folder:
            message = f"location must be an absolute path, not {folder!r}"
            raise InvalidRequest(message, {"location": message})
        normal = os.path.normpath(folder)
        if normal.startswith("//"):  # which POSIX lets stand
            normal = normal[1:]
        return normal.rstrip(os.sep) + os.sep

    def walk(self, prefix: str) -> Iterator[FoundFile | OwnFile | ScanProblem]:
        """See FolderReader.walk."""
        _require_folder(prefix)
        walked: set[_Directory] = set()
        real_prefix = _with_separator(os.path.realpath(prefix))
        trees = _OwnTrees()
        pending = [prefix]
        while pending:
            folder = pending.pop()
            try:
                entries = _list_once(folder, walked)
            except OSError as error:
                yield _problem(folder, error)
                continue
            subfolders = []
            for met in _Listing(folder, real_prefix, trees).look_at(entries):
                if isinstance(met, str):
                    subfolders.append(met)
                else:
                    yield met
            pending += reversed(subfolders)

    def look(self, path: str) -> FoundFile | OwnFile | ScanProblem:
        """See FolderReader.look."""
        try:
            facts = Path(path).stat()
        except OSError as error:
            return _problem(path, error)
        if not stat.S_ISREG(facts.st_mode):
            return ScanProblem(path, "no file")
        if any(_is_own(place, _own_names) for place in {path, os.path.realpath(path)}):
            return OwnFile(path)
        return FoundFile(path, FileStamp(facts.st_size, facts.st_mtime_ns))

    def is_bare(self, prefix: str) -> bool:
        """See FolderReader.is_bare."""
        try:
            return _is_empty(prefix)
        except OSError:
            return False

    def is_away(self, path: str) -> bool:
        """See FolderReader.is_away. A volume leaves an empty folder behind, or none in a place for volumes."""
        folder = next(parent for parent in PurePath(path).parents if Path(parent).is_dir())
        if _is_for_mounts(folder):
            return True
        has_lost_folders = folder != PurePath(path).parent
        try:
            return (has_lost_folders or _is_for_mounts(folder.parent)) and _is_empty(str(folder))
        except OSError:
            return True


def _require_folder(prefix: str) -> None:
    try:
        is_there = Path(prefix).is_dir()
    except OSError as error:
        message = f"{prefix}: the library service cannot look at it: {error.strerror}"
        raise InvalidRequest(message, {"location": message}) from error
    if not is_there:
        message = f"no folder {prefix}"
        raise NotFound(message, {"location": prefix})


def _is_empty(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _is_for_mounts(folder: PurePath) -> bool:
    return any(folder.match(place) for place in _MOUNT_FOLDERS)


class _Listing:
    """Looks at the entries of one folder."""

    def __init__(self, folder: str, real_prefix: str, trees: "_OwnTrees") -> None:
        self._folder = folder
        self._trees = trees
        self._real_prefix = real_prefix
        self._real_folder = _with_separator(os.path.realpath(folder))
        self._is_linked = self._real_folder != folder

    def look_at(self, entries: list[os.DirEntry[str]]) -> Iterator[FoundFile | OwnFile | ScanProblem | str]:
        """Audio files, problems, and subfolders (their paths with the separator)."""
        own = self._own({entry.name for entry in entries})
        own_elsewhere = cache(_own_names)
        for entry in entries:
            met = self._look_at(entry)
            if isinstance(met, FoundFile):
                is_own = comparable_name(entry.name) in own or _is_own(met.real_path, own_elsewhere)
                yield OwnFile(met.path) if is_own else met
            elif met is not None:
                yield met

    def _own(self, names: set[str]) -> frozenset[str]:
        if TREE_RECORD in names:
            self._trees.note(self._folder)
        delivered = _delivered_names(self._folder) if METADATA in names else frozenset()
        return delivered | self._trees.names_in(self._folder)

    def _look_at(self, entry: os.DirEntry[str]) -> FoundFile | ScanProblem | str | None:
        try:
            is_folder = entry.is_dir()
            if not (is_folder or entry.name.lower().endswith(AUDIO_EXTENSIONS)):
                return None
            if not _is_utf8(entry.name):
                return ScanProblem(_printable(entry.path), "the name is not UTF-8")
            if is_folder:
                return entry.path + os.sep
            facts = entry.stat()
        except OSError as error:
            return _problem(entry.path, error)
        if not stat.S_ISREG(facts.st_mode):
            return None
        stamp = FileStamp(facts.st_size, facts.st_mtime_ns)
        return self._linked(entry, stamp) if entry.is_symlink() or self._is_linked else FoundFile(entry.path, stamp)

    def _linked(self, entry: os.DirEntry[str], stamp: FileStamp) -> FoundFile | None:
        """A file that links lead to; None if the walk meets it by its own name."""
        real_path = os.path.realpath(entry.path) if entry.is_symlink() else self._real_folder + entry.name
        if entry.is_symlink() and self._is_walked(real_path):
            return None
        return FoundFile(entry.path, stamp, real_path if _is_utf8(real_path) else "")

    def _is_walked(self, real_path: str) -> bool:
        inside = real_path.removeprefix(self._real_prefix)
        is_visible = not any(part.startswith(".") for part in PurePath(inside).parts)
        return inside != real_path and is_visible and real_path.lower().endswith(AUDIO_EXTENSIONS)


def _list_once(folder: str, walked: set[_Directory]) -> list[os.DirEntry[str]]:
    """The visible entries of a folder by name; none if it has been walked already."""
    facts = Path(folder).stat()
    if (facts.st_dev, facts.st_ino) in walked:
        return []
    walked.add((facts.st_dev, facts.st_ino))
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _is_own(path: str, own_names_of: Callable[[str], frozenset[str]]) -> bool:
    folder, name = os.path.split(path)
    return bool(name) and comparable_name(name) in own_names_of(folder)


class _OwnTrees:
    """What the records that a walk has met tell of folders that it comes to."""

    def __init__(self) -> None:
        self._names: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, folder: str) -> None:
        """Read the record of a folder, whose path ends with the separator."""
        for path in _tree_paths(folder):
            inner, _, name = path.rpartition("/")
            self._names[comparable_name(folder + (inner.replace("/", os.sep) + os.sep if inner else ""))].add(name)

    def names_in(self, folder: str) -> frozenset[str]:
        return frozenset(self._names.pop(comparable_name(folder), ()))


def _own_names(folder: str) -> frozenset[str]:
    """What Stemhouse has delivered or made in a folder, by its own record and those of the folders around it."""
    names, inner = set(_delivered_names(folder)), ""
    for around in (PurePath(folder), *PurePath(folder).parents[: DEEPEST_TREE - 1]):
        paths = _tree_paths(str(around))
        names |= {path.removeprefix(inner) for path in paths if path.startswith(inner)}
        inner = comparable_name(f"{around.name}/{inner}")
    return frozenset(name for name in names if "/" not in name)


def _delivered_names(folder: str) -> frozenset[str]:
    return own_names(_content(Path(folder, METADATA), LARGEST_METADATA_BYTES))


def _tree_paths(folder: str) -> frozenset[str]:
    return own_paths(_content(Path(folder, TREE_RECORD), LARGEST_RECORD_BYTES))


def _content(file: Path, most_bytes: int) -> bytes:
    """Nothing if it is not there, cannot be read, or is larger."""
    try:
        facts = file.stat()
        return file.read_bytes() if stat.S_ISREG(facts.st_mode) and facts.st_size <= most_bytes else b""
    except OSError:
        return b""


def _with_separator(folder: str) -> str:
    return folder.rstrip(os.sep) + os.sep


def _problem(path: str, error: OSError) -> ScanProblem:
    return ScanProblem(_printable(path), error.strerror or str(error))


def _is_utf8(name: str) -> bool:
    """Whether a name is text; bytes that are not come as lone surrogates, which no message can carry."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(path: str) -> str:
    return os.fsencode(path).decode(errors="replace")
