"""A prefix of an object store as a local folder that looks like it, so that what works on folders works on it.

Records and the lists that they name are there with their bytes, all other files by name, size and time alone, taking no
room. What is made in the folder is stored below the prefix, records last; then its bytes go from here, too.
"""

import json
import os
import platform
import tempfile
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from stemhouse.client.receiving import check_segment
from stemhouse.errors import InternalFault, InvalidRequest, Unavailable
from stemhouse.production import TREE_RECORD

_MARK, _MARK_SUFFIX = ".stemhouse-unfinished-", ".json"
_ABANDONED_AFTER_S = 24 * 3600.0
_NS_PER_S = 1_000_000_000
_DOCUMENT_BYTES = 64 * 1024**2


@dataclass(frozen=True)
class PrefixFile:
    """An object; `path` is relative to the prefix, `modified_s` since 1970 in whole seconds, `etag` of its bytes."""

    path: str
    size_bytes: int
    modified_s: int
    etag: str


class Prefix(Protocol):
    """Files below a prefix of an object store, named by people; every method raises StorageUnavailable."""

    url: str

    def files(self) -> Iterator[PrefixFile]:
        """All of them, in the order of their keys. Raises NotFound if there is no such bucket."""

    def find(self, path: str) -> PrefixFile | None:
        """The file, if there is one."""

    def fetch(self, path: str, target: Path) -> None:
        """Write its bytes into a file; raises NotFound."""

    def store(self, path: str, source: Path) -> PrefixFile:
        """Put a file there, whole or not at all, in the place of what has that name."""

    def remove(self, path: str) -> None:
        """A missing one is no error."""


class PrefixMirror:
    """Both, kept alike: `pull` once, then `push` whenever something was made."""

    def __init__(self, prefix: Prefix, folder: Path) -> None:
        """`folder` is empty, and this one's alone."""
        self._prefix = prefix
        self._folder = folder
        self._etags: dict[str, str] = {}
        self._stamps: dict[str, tuple[int, int]] = {}

    def pull(self, *, tidies: bool = True) -> None:
        """Make the folder look like the prefix. With `tidies` what a killed run has left there is removed first.

        Raises InvalidRequest that names an object which cannot be a file, NotFound for a bucket that is not there.
        """
        there = {file.path: file for file in self._prefix.files()}
        for mark in [path for path in there if _is_mark(path)]:
            if tidies:
                self._tidy(there[mark], there)
            there.pop(mark)
        for file in there.values():
            self._imitate(file)
        for path in [path for path in there if PurePosixPath(path).name == TREE_RECORD]:
            self._fetch(there[path])
        for path in _documents(self._folder / TREE_RECORD):
            if path in there:
                self._fetch(there[path])

    def push(self, files: Iterable[Path]) -> None:
        """Store those of the folder's files that are new, or new since they were stored.

        Raises Unavailable for what others have written there meanwhile.
        """
        paths = (file.relative_to(self._folder).as_posix() for file in files)
        made = sorted((path for path in paths if self._is_new(path)), key=_is_record)
        if not made:
            return
        mark = self._mark([path for path in made if path not in self._etags])
        for path in made:
            self._store(path)
        self._prefix.remove(mark)

    def _is_new(self, path: str) -> bool:
        return self._stamps.get(path) != _stamp(self._folder / path)

    def _store(self, path: str) -> None:
        found = self._prefix.find(path)
        if (found.etag if found else None) != self._etags.get(path):
            message = f"{self._prefix.url}/{path} was written by others meanwhile: give the command again"
            raise Unavailable(message, {"location": path})
        file = self._folder / path
        self._etags[path] = self._prefix.store(path, file).etag
        if not _is_record(path):
            _hollow(file, file.stat().st_size, file.stat().st_mtime_ns)
        self._stamps[path] = _stamp(file)

    def _mark(self, paths: Sequence[str]) -> str:
        """By which the next run knows what this one has begun, if it is killed."""
        path = f"{_MARK}{uuid.uuid4().hex}{_MARK_SUFFIX}"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "mark")
            file.write_text(json.dumps({"host": platform.node(), "paths": paths}), encoding="utf-8")
            self._prefix.store(path, file)
        return path

    def _tidy(self, mark: PrefixFile, there: dict[str, PrefixFile]) -> None:
        """Remove what a run has begun that was killed, unless it may be at work on another machine."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "mark")
            self._prefix.fetch(mark.path, file)
            begun = json.loads(file.read_text(encoding="utf-8"))
        if begun["host"] != platform.node() and time.time() - mark.modified_s < _ABANDONED_AFTER_S:
            return
        paths = [path for path in begun["paths"] if path in there]
        for path in () if any(map(_is_record, paths)) else paths:  # the record is stored last
            self._prefix.remove(path)
            del there[path]
        self._prefix.remove(mark.path)

    def _imitate(self, file: PrefixFile) -> None:
        self._etags[file.path] = file.etag
        target = self._folder / file.path
        try:
            for segment in file.path.split("/"):
                check_segment(segment)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(exist_ok=False)
        except (InternalFault, OSError) as error:
            message = f"{self._prefix.url}/{file.path}: no file can have this name beside the others: {error}"
            raise InvalidRequest(message, {"location": file.path}) from error
        _hollow(target, file.size_bytes, file.modified_s * _NS_PER_S)
        self._stamps[file.path] = _stamp(target)

    def _fetch(self, file: PrefixFile) -> None:
        target = self._folder / file.path
        if file.size_bytes <= _DOCUMENT_BYTES:
            self._prefix.fetch(file.path, target)
            os.utime(target, ns=(file.modified_s * _NS_PER_S,) * 2)
            self._stamps[file.path] = _stamp(target)


def _is_mark(path: str) -> bool:
    return path.startswith(_MARK) and path.endswith(_MARK_SUFFIX) and "/" not in path


def _is_record(path: str) -> bool:
    return PurePosixPath(path).name == TREE_RECORD


def _documents(record: Path) -> Collection[str]:
    """The places of lists; none if there is no record, or none of ours."""
    try:
        told = json.loads(record.read_text(encoding="utf-8"))["documents"]
        return [str(document["place"]) for document in told if isinstance(document, Mapping)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _hollow(file: Path, size_bytes: int, modified_ns: int) -> None:
    """Only its size is left, and takes no room where the file system knows holes."""
    with file.open("wb") as emptied:
        emptied.truncate(size_bytes)
    os.utime(file, ns=(modified_ns, modified_ns))


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
