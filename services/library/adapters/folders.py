"""Audio files in the folders of this machine."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from services.library.core.ports import FileStamp, FoundFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem

AUDIO_EXTENSIONS = (
    *(".aac", ".aif", ".aifc", ".aiff", ".flac", ".m4a", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".wav", ".wma"),
)
"""What ingest takes and has tags that can be read. Compared without regard to case."""

_Directory = tuple[int, int]
"""Device and inode."""


class DiskFolders:
    """FolderReader over the file system.

    Names that begin with a dot (hidden files, `._*` of macOS) are passed over. Links are followed; a folder that is
    met twice is walked once, so a loop of links ends.
    """

    def prefix(self, folder: str) -> str:
        """See FolderReader.prefix."""
        if not Path(folder).is_absolute() or "\0" in folder:
            message = f"folder must be an absolute path, not {folder!r}"
            raise InvalidRequest(message, {"folder": message})
        normal = os.path.normpath(folder)
        if normal.startswith("//"):  # which POSIX lets stand
            normal = normal[1:]
        return normal.rstrip(os.sep) + os.sep

    def walk(self, prefix: str) -> Iterator[FoundFile | ScanProblem]:
        """See FolderReader.walk."""
        if not Path(prefix).is_dir():
            message = f"no folder {prefix}"
            raise NotFound(message, {"folder": prefix})
        walked: set[_Directory] = set()
        pending = [prefix]
        while pending:
            folder = pending.pop()
            try:
                entries = _list_once(folder, walked)
            except OSError as error:
                yield _problem(folder, error)
                continue
            subfolders = []
            for entry in entries:
                met = _look_at(entry)
                if isinstance(met, str):
                    subfolders.append(met)
                elif met is not None:
                    yield met
            pending += reversed(subfolders)


def _list_once(folder: str, walked: set[_Directory]) -> list[os.DirEntry[str]]:
    """The visible entries of a folder by name; none if it has been walked already."""
    facts = Path(folder).stat()
    if (facts.st_dev, facts.st_ino) in walked:
        return []
    walked.add((facts.st_dev, facts.st_ino))
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def _look_at(entry: os.DirEntry[str]) -> FoundFile | ScanProblem | str | None:
    """An audio file, a problem, a subfolder (its path with the separator), or None for what is none of these."""
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
    is_file = stat.S_ISREG(facts.st_mode)
    return FoundFile(entry.path, FileStamp(facts.st_size, facts.st_mtime_ns)) if is_file else None


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
