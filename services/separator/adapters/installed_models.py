"""Installed models in a folder that several processes may share, and that may be read-only.

{root}/{model}/model.json      the record, written last: without it there is no model
{root}/{model}/{file}          its checkpoints
{root}/{model}/damage          what was found wrong with them, until they are found whole or installed again
{root}/{model}/unloadable      why an engine could not load them, whole as they are, until they are installed again

`model_builds` changes the folder. Where a mark cannot be written, on a read-only volume, it is kept in memory.
"""

import contextlib
import hashlib
from itertools import chain
from pathlib import Path

import structlog

from services.separator.core.control import check_wanted
from services.separator.core.model_fields import is_name
from services.separator.core.models import ModelEntry, ModelFile, entry_from_record
from services.separator.core.ports import TaskControl
from stemhouse.errors import ModelRejected

log = structlog.get_logger(__name__)

RECORD = "model.json"
DAMAGE = "damage"
UNLOADABLE = "unloadable"
MARKS = (DAMAGE, UNLOADABLE)

_CHUNK_BYTES = 1024 * 1024


class InstalledModels:
    """What is installed below a root."""

    def __init__(self, root: Path) -> None:
        """Nothing is read yet; the root need not exist."""
        self._root = root
        self._told: set[str] = set()
        self._unwritten: dict[tuple[str, str], tuple[str, str]] = {}

    def entries(self) -> list[ModelEntry]:
        """The models whose records can be read, by name."""
        return [found for found in self._records().values() if isinstance(found, ModelEntry)]

    def broken(self) -> dict[str, str]:
        """By name, the models whose records cannot be read, and why; each cause is logged once."""
        return {name: found for name, found in self._records().items() if isinstance(found, str)}

    def folder(self, name: str) -> Path:
        """Where the files of a model lie."""
        return self._root / name

    def problem(self, entry: ModelEntry) -> str:
        """What can be seen at a glance to be wrong: a missing file, another size, damage found before. Else empty."""
        folder = self.folder(entry.name)
        marks = (self._mark(entry.name, mark) for mark in MARKS)
        faults = (_fault_at_a_glance(folder / file.name, file) for file in entry.files)
        return next(filter(None, chain(marks, faults)), "")

    def read_through(self, entry: ModelEntry, control: TaskControl) -> str:
        """What reading all files from end to end finds wrong; else empty. Raises Cancelled."""
        faults = (fault_of(self.folder(entry.name) / file.name, file, control) for file in entry.files)
        return "; ".join(filter(None, faults))

    def mark_damaged(self, name: str, problem: str) -> None:
        """Let nobody offer the model until its files are found whole or installed again."""
        self._write_mark(name, DAMAGE, problem)

    def mark_unloadable(self, name: str, problem: str) -> None:
        """Let nobody offer the model until it is installed again."""
        self._write_mark(name, UNLOADABLE, problem)

    def remember_unloadable(self, name: str, problem: str, stamp: str) -> None:
        """See ModelShelf.remember_unloadable."""
        self._unwritten[name, UNLOADABLE] = (stamp, problem)

    def stamp(self, name: str) -> str:
        """When the record was written, in nanoseconds; a mark is about what was installed then. Empty without one."""
        try:
            return str((self.folder(name) / RECORD).stat().st_mtime_ns)
        except OSError:
            return ""

    def unmark_damaged(self, name: str) -> None:
        """Take the mark of damaged files away."""
        self._unwritten.pop((name, DAMAGE), None)
        mark = self.folder(name) / DAMAGE
        try:
            if mark.exists():  # a read-only volume would refuse to remove even what is not there
                mark.unlink()
        except OSError as error:
            log.warning("a mark of damage cannot be removed", model=name, error=str(error))

    def _records(self) -> dict[str, ModelEntry | str]:
        """By name: the model, or why its record cannot be read. Folders that could be no model's are passed over."""
        records = (record for record in sorted(self._root.glob(f"*/{RECORD}")) if is_name(record.parent.name))
        return {record.parent.name: self._read(record) for record in records}

    def _read(self, record: Path) -> ModelEntry | str:
        try:
            return entry_from_record_file(record)
        except ModelRejected as error:
            cause = error.message
        except OSError as error:
            cause = f"{record} cannot be read: {error.strerror}"
        self._tell_once(cause, record)
        return cause

    def _write_mark(self, name: str, mark: str, problem: str) -> None:
        try:
            (self.folder(name) / mark).write_text(problem, encoding="utf-8")
        except OSError as error:  # a read-only volume
            log.warning("damage cannot be recorded", model=name, problem=problem, error=str(error))
            self._unwritten[name, mark] = (self.stamp(name), problem)

    def _mark(self, name: str, mark: str) -> str:
        with contextlib.suppress(OSError):
            return (self.folder(name) / mark).read_text(encoding="utf-8")
        stamp, problem = self._unwritten.get((name, mark), ("", ""))
        return problem if stamp == self.stamp(name) else ""

    def _tell_once(self, cause: str, record: Path) -> None:
        """Engines are listed before each track: one line for each cause must do."""
        if cause not in self._told:
            self._told.add(cause)
            log.warning("model cannot be used", record=str(record), error=cause)


def entry_from_record_file(record: Path) -> ModelEntry:
    """The model of a record, which must be that of its folder; raises ModelRejected, and OSError."""
    entry = entry_from_record(record.read_bytes(), str(record))
    if entry.name != record.parent.name:
        raise ModelRejected(f"{record} is the record of {entry.name}, in another folder", {"file": str(record)})
    return entry


def fault_of(path: Path, file: ModelFile, control: TaskControl) -> str:
    """What is wrong with a file, read from end to end, or empty; raises Cancelled."""
    return _fault_at_a_glance(path, file) or _fault_of_content(path, file, control)


def digest_of(path: Path, control: TaskControl) -> str:
    """The SHA-256 of a file; raises Cancelled, and OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            check_wanted(control)
            digest.update(chunk)
    return digest.hexdigest()


def _fault_at_a_glance(path: Path, file: ModelFile) -> str:
    if not path.is_file():
        return f"{file.name} is missing"
    size_bytes = path.stat().st_size
    return "" if size_bytes == file.size_bytes else f"{file.name} has {size_bytes} bytes instead of {file.size_bytes}"


def _fault_of_content(path: Path, file: ModelFile, control: TaskControl) -> str:
    try:
        found = digest_of(path, control)
    except OSError as error:
        return f"{file.name} cannot be read: {error.strerror}"
    return "" if found == file.sha256 else f"{file.name} has the SHA-256 {found} instead of {file.sha256}"
