"""Finding files under the names that another program has written down, on volumes that compare names in other ways."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Protocol

from services.library.core.locations import path_key

_MOST_FOLDERS = 4096


class Disk(Protocol):
    """What is asked of a file system; nothing is ever written."""

    def names(self, folder: str) -> Sequence[str]:
        """What lies in a folder. Raises OSError."""
        ...

    def identity(self, path: str) -> tuple[int, int]:
        """Device and inode. Raises OSError."""
        ...

    def is_file(self, path: str) -> bool:
        """Whether there is a file, or a link to one, that can be reached."""
        ...

    def real_path(self, path: str) -> str:
        """The path without links."""
        ...


class OwnDisk:
    """Disk of this machine."""

    def names(self, folder: str) -> Sequence[str]:
        """See Disk.names."""
        return os.listdir(folder)  # noqa: PTH208  # names, not paths

    def identity(self, path: str) -> tuple[int, int]:
        """See Disk.identity."""
        facts = Path(path).stat()
        return facts.st_dev, facts.st_ino

    def is_file(self, path: str) -> bool:
        """See Disk.is_file."""
        try:
            return Path(path).is_file()
        except OSError:
            return False

    def real_path(self, path: str) -> str:
        """See Disk.real_path."""
        return str(Path(path).resolve())


@dataclass(frozen=True)
class _Listing:
    """Names by themselves and by what they are compared by; None if the folder does not let itself be listed."""

    names: Mapping[str, str] | None
    is_case_sensitive: bool

    def name(self, part: str) -> str | None:
        """How the folder spells it; None if it does not have it."""
        if self.names is None:
            return part
        return self.names.get(part) or self.names.get(path_key(part, is_case_sensitive=self.is_case_sensitive))


class Volumes:
    """The volumes of this machine, as they are during one scan: what a folder holds is remembered."""

    def __init__(self, disk: Disk | None = None) -> None:
        """Look at nothing yet."""
        self._disk = disk or OwnDisk()
        self._is_sensitive: dict[int, bool] = {}
        """By device."""
        self._listing = lru_cache(_MOST_FOLDERS)(self._list)

    def resolve(self, candidates: Sequence[str]) -> str | None:
        """The first candidate that is a file, as the file system spells it and without links; None if none is.

        Candidates are absolute paths. A part that is not there counts as the one that differs from it only in how
        accents are put together, and, where the volume ignores case, in case.
        """
        found = (self._spelled(path) for path in candidates if "\0" not in path)
        files = (path for path in found if path is not None and self._disk.is_file(path))
        return next(map(self._disk.real_path, files), None)

    def is_case_sensitive(self, folder: str) -> bool:
        """Whether the volume of a folder tells `a` from `A`; True where nothing on the way up to its root says."""
        path = PurePath(folder)
        for place in (path, *path.parents):
            answer = self._probe(str(place))
            if answer is not None:
                return answer
        return True

    def _spelled(self, path: str) -> str | None:
        """The path as the folders on its way spell it; None if one of them does not have the next part."""
        if not PurePath(path).is_absolute():
            return None
        spelled, *parts = PurePath(path).parts
        for part in parts:
            name = self._listing(spelled).name(part)
            if name is None:
                return None
            spelled = os.path.join(spelled, name)  # noqa: PTH118  # a hundred thousand times in a scan
        return spelled

    def _list(self, folder: str) -> _Listing:
        try:
            names = sorted(self._disk.names(folder), reverse=True)
        except (FileNotFoundError, NotADirectoryError):
            return _Listing({}, is_case_sensitive=True)
        except OSError:
            return _Listing(None, is_case_sensitive=True)
        is_case_sensitive = self.is_case_sensitive(folder)
        by_key = {path_key(name, is_case_sensitive=is_case_sensitive): name for name in names}
        return _Listing(by_key | {name: name for name in names}, is_case_sensitive=is_case_sensitive)

    def _probe(self, folder: str) -> bool | None:
        """What one folder tells of its volume; None if nothing: it cannot be read, or has no names with letters."""
        try:
            device, _ = self._disk.identity(folder)
            if device not in self._is_sensitive:
                answer = self._answer_of_names(folder, set(self._disk.names(folder)))
                if answer is None:
                    return None
                self._is_sensitive[device] = answer
        except OSError:
            return None
        return self._is_sensitive[device]

    def _answer_of_names(self, folder: str, names: set[str]) -> bool | None:
        """Ask for a name in the other case: the same file, or none."""
        for name in sorted(names):
            swapped = name.swapcase()
            if name.isascii() and swapped != name:
                return swapped in names or not self._is_same(folder, name, swapped)
        return None

    def _is_same(self, folder: str, name: str, other: str) -> bool:
        try:
            return self._disk.identity(str(PurePath(folder, name))) == self._disk.identity(str(PurePath(folder, other)))
        except OSError:
            return False
