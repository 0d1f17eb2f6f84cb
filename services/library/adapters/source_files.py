"""The files of the library on this machine."""

import os
from pathlib import Path

from services.library.core.ports import FileStamp
from stemhouse.errors import NotFound, Unavailable


class DiskSourceFiles:
    """SourceFiles over the file system."""

    def stamp(self, path: str, location: str) -> FileStamp:
        """See SourceFiles.stamp."""
        try:
            facts = Path(path).stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            _require_location(location)
            message = f"{path} is not there"
            raise NotFound(message, {"file": path}) from error
        except OSError as error:
            raise Unavailable(f"cannot look at {path}: {error.strerror or error}") from error
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
