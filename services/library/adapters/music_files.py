"""One way to the files of this machine and to those of an object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from services.library.adapters.cover_art import cover_art
from services.library.adapters.folders import DiskFolders
from services.library.adapters.s3_folders import S3Folders, is_s3
from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.ports import FolderReader, FoundFile, OwnFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.tracks import ScanProblem, Track


class MusicFiles:
    """FolderReader and TagReader by location: on this machine, or `s3://..` in the object store, if there is one."""

    def __init__(self, disk: DiskFolders, store: S3Folders | None = None) -> None:
        """Keep the readers."""
        self._disk = disk
        self._store = store
        self._tags = MutagenTagReader()

    def prefix(self, folder: str) -> str:
        """See FolderReader.prefix; raises InvalidRequest for a store where none is set up, too."""
        if is_s3(folder) and self._store is None:
            message = f"{folder}: no object store of music is set up"
            raise InvalidRequest(message, {"location": message})
        return self._reader(folder).prefix(folder)

    def walk(self, prefix: str) -> Iterator[FoundFile | OwnFile | ScanProblem]:
        """See FolderReader.walk."""
        return self._reader(prefix).walk(prefix)

    def look(self, path: str) -> FoundFile | OwnFile | ScanProblem:
        """See FolderReader.look."""
        return self._reader(path).look(path)

    def is_bare(self, prefix: str) -> bool:
        """See FolderReader.is_bare."""
        return self._reader(prefix).is_bare(prefix)

    def is_away(self, path: str) -> bool:
        """See FolderReader.is_away."""
        return self._reader(path).is_away(path)

    def read(self, found: FoundFile) -> Track | ScanProblem:
        """See TagReader.read."""
        if self._store is None or not is_s3(found.path):
            return self._tags.read(found)
        try:
            with self._store.open(found) as file:
                return self._tags.read_from(file, found)
        except NotFound as error:  # gone since it was listed
            return ScanProblem(found.path, error.message)

    def cover_art(self, path: str) -> bytes:
        """See CoverReader.cover_art."""
        try:
            with self.at_hand(path) as file:
                return cover_art(file)
        except NotFound:  # gone since it was listed
            return b""

    @contextmanager
    def at_hand(self, path: str) -> Iterator[Path]:
        """The file on this machine for the block: itself, or a copy of the same name."""
        if self._store is None or not is_s3(path):
            yield Path(path)
            return
        with TemporaryDirectory(prefix="stemhouse-") as folder:
            copy = Path(folder) / PurePosixPath(path).name
            self._store.fetch(path, copy)
            yield copy

    def _reader(self, path: str) -> FolderReader:
        return self._store if self._store is not None and is_s3(path) else self._disk
