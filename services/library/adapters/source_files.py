"""The files of the library as they are now."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from services.library.adapters.s3_folders import is_s3
from services.library.adapters.untagged import audio_sha256
from services.library.core.ports import FileStamp, FoundFile
from stemhouse.errors import InvalidRequest, NotFound, Unavailable

_OF_THE_FILE = {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
"""What one path is at fault for, and not the volume."""


class StoredSourceFiles:
    """SourceFiles over the file system, and over the object store of music where there is one."""

    def __init__(self, look: Callable[[str], object], is_away: Callable[[str], bool]) -> None:
        """`look` tells what a path is in the store: a FoundFile, or why there is none.

        `is_away` tells of a path on disk that is not there whether its volume has gone with it.
        """
        self._look = look
        self._is_away = is_away

    def stamp(self, path: str, location: str) -> FileStamp:
        """See SourceFiles.stamp."""
        if not is_s3(path):
            return self._stamp_on_disk(path, location)
        found = self._look(path)
        if isinstance(found, FoundFile):
            return found.stamp
        message = f"{path} is not there"
        raise NotFound(message, {"file": path})

    def audio_sha256(self, path: str) -> str:
        """See SourceFiles.audio_sha256."""
        try:
            return "" if is_s3(path) else audio_sha256(path)
        except OSError:
            return ""

    def _stamp_on_disk(self, path: str, location: str) -> FileStamp:
        try:
            facts = Path(path).stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            _require_location(location)
            if self._is_away(path):
                raise Unavailable(f"{path} is not there, nor is its folder: mount its volume") from error
            message = f"{path} is not there"
            raise NotFound(message, {"file": path}) from error
        except OSError as error:
            message = f"cannot look at {path}: {error.strerror or error}"
            if error.errno in _OF_THE_FILE:
                raise InvalidRequest(message, {"file": path}) from error
            raise Unavailable(message) from error
        return FileStamp(facts.st_size, facts.st_mtime_ns)


def _require_location(location: str) -> None:
    """An empty folder counts as gone: it is what is left where a volume was mounted."""
    try:
        is_there = _has_entries(location) if Path(location).is_dir() else Path(location).is_file()
    except OSError:
        is_there = False
    if not is_there:
        raise Unavailable(f"{location} is not there, or empty: mount its volume")


def _has_entries(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(entries)
