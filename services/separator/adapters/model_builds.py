"""Changes the folder of models: one caller at a time fetches the files of a model, and installs them as one.

{root}/{model}/.incoming/{sha256}.partial    a file on its way
{root}/{model}/.incoming/{file}              one that has come, and been checked
{root}/.{model}.lock                         held by whoever changes the folder of that model

What has come outlives the process, so that the next attempt goes on there.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from services.separator.adapters.installed_models import (
    MARKS,
    RECORD,
    InstalledModels,
    entry_from_record_file,
    fault_of,
)
from services.separator.adapters.model_downloads import PATIENT, Download, Patience
from services.separator.core.control import check_wanted
from services.separator.core.model_ports import ModelOrigin
from services.separator.core.models import ModelEntry, ModelFile, record_of
from services.separator.core.ports import TaskControl
from stemhouse.errors import ModelRejected, StorageUnavailable

log = structlog.get_logger(__name__)

_INCOMING = ".incoming"
_POLL_S = 0.1
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class ModelFolders(InstalledModels):
    """ModelShelf over a folder."""

    def __init__(self, root: Path, patience: Patience = PATIENT) -> None:
        """`patience` is for downloads."""
        super().__init__(root)
        self._patience = patience

    @contextmanager
    def claim(self, name: str, control: TaskControl) -> Iterator["FolderBuild"]:
        """See ModelShelf.claim. What cannot be written needs no lock: nobody changes it here."""
        lock = FileLock(self._root / f".{name}.lock")
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            _acquire(lock, control)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise _unusable(error) from error
            log.warning("the folder of models is read-only", error=str(error))
        try:
            yield FolderBuild(self.folder(name), control, self._patience)
        finally:
            lock.release()


class FolderBuild:
    """ModelBuild in the folder of a model."""

    def __init__(self, folder: Path, control: TaskControl, patience: Patience) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._control = control
        self._patience = patience

    @property
    def folder(self) -> str:
        """See ModelBuild.folder."""
        return str(self._incoming)

    def holds(self, file: ModelFile) -> bool:
        """See ModelBuild.holds."""
        return not fault_of(self._folder / file.name, file, self._control)

    def fetch(self, file: ModelFile, origin: ModelOrigin, arrived: Callable[[int], None]) -> None:
        """See ModelBuild.fetch."""
        target = self._incoming / file.name
        with _disk_errors():
            if fault_of(target, file, self._control):
                self._incoming.mkdir(parents=True, exist_ok=True)
                partial = self._incoming / f"{file.sha256}.partial"
                Download(self._folder.name, file, partial, self._control).complete(origin, arrived, self._patience)
                partial.replace(target)

    def publish(self, entry: ModelEntry, installed_at: datetime) -> None:
        """See ModelBuild.publish. While files are replaced there is no record, so nobody sees a mixture."""
        with _disk_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            replaced = self._recorded_names() - {file.name for file in entry.files}
            (self._folder / RECORD).unlink(missing_ok=True)
            for file in entry.files:
                with contextlib.suppress(FileNotFoundError):  # it was installed already
                    (self._incoming / file.name).replace(self._folder / file.name)
            self._write_record(record_of(entry, installed_at))
            for name in (*MARKS, *replaced):
                (self._folder / name).unlink(missing_ok=True)
            shutil.rmtree(self._incoming, ignore_errors=True)

    def discard(self) -> None:
        """See ModelBuild.discard."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds an installed model
            self._folder.rmdir()

    def _recorded_names(self) -> set[str]:
        try:
            return {file.name for file in entry_from_record_file(self._folder / RECORD).files}
        except (FileNotFoundError, ModelRejected):
            return set()

    def _write_record(self, record: bytes) -> None:
        """In one step, and after the files, even if the power fails."""
        _sync_folder(self._folder)
        written = self._folder / f".{RECORD}"
        with written.open("wb") as file:
            file.write(record)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self._folder / RECORD)
        _sync_folder(self._folder)


def _acquire(lock: FileLock, control: TaskControl) -> None:
    while True:
        check_wanted(control)
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=_POLL_S, poll_interval=_POLL_S / 2)
            return


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(PermissionError):  # Windows opens no folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(error) from error


def _unusable(error: OSError) -> StorageUnavailable:
    where = f" ({error.filename})" if error.filename else ""
    hint = "; make room and try again, what has come is kept" if error.errno == errno.ENOSPC else ""
    return StorageUnavailable(f"the folder of models cannot be used: {error.strerror}{where}{hint}")
