"""Audio files below a prefix of an S3 bucket. Only listed and read."""

import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

from minio import Minio
from minio.datatypes import Object

from services.library.adapters.folders import AUDIO_EXTENSIONS
from services.library.core.own_files import LARGEST_METADATA_BYTES, METADATA, comparable_name, own_names
from services.library.core.ports import FileStamp, FoundFile, OwnFile
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.platform.object_stores import storage_errors
from stemhouse.tracks import ScanProblem

SCHEME = "s3://"
_NS_PER_S = 1_000_000_000
_BLOCK_BYTES = 1 << 18
_BLOCKS = 8
"""Kept of one object: tags and headers lie at its two ends."""


def is_s3(location: str) -> bool:
    """Whether a location or path is one of an object store."""
    return location.startswith(SCHEME)


class S3Folders:
    """FolderReader over a store; paths are `s3://bucket/key`, and what is between slashes counts as a folder."""

    def __init__(self, client: Minio) -> None:
        """Keep the client; no call is made here."""
        self._client = client

    def prefix(self, folder: str) -> str:
        """See FolderReader.prefix."""
        bucket, _, key = folder.removeprefix(SCHEME).partition("/")
        parts = [part for part in key.split("/") if part]
        if not is_s3(folder) or not bucket or "\0" in folder:
            message = f"a location in an object store is s3://bucket/prefix, not {folder!r}"
            raise InvalidRequest(message, {"location": message})
        return "/".join([f"{SCHEME}{bucket}", *parts, ""])

    def walk(self, prefix: str) -> Iterator[FoundFile | OwnFile | ScanProblem]:
        """See FolderReader.walk; raises StorageUnavailable, too."""
        bucket, key_prefix = _split(prefix)
        objects = [found for found in self._list(bucket, key_prefix) if not _is_hidden(found, key_prefix)]
        if not objects:
            raise NotFound(f"no objects below {prefix}", {"location": prefix})
        own = {_folder(found): self._own_names(bucket, found) for found in objects if _name(found) == METADATA}
        for found in objects:
            path = f"{SCHEME}{bucket}/{found.object_name}"
            if not path.lower().endswith(AUDIO_EXTENSIONS):
                continue
            is_own = comparable_name(_name(found)) in own.get(_folder(found), ())
            yield OwnFile(path) if is_own else FoundFile(path, _stamp(found))

    def look(self, path: str) -> FoundFile | OwnFile | ScanProblem:
        """See FolderReader.look. Nothing names single objects, hence none is looked up as our own."""
        bucket, key = _split(path)
        try:
            with storage_errors(path):
                return FoundFile(path, _stamp(self._client.stat_object(bucket, key)))
        except NotFound:
            return ScanProblem(path, "no such object")

    def is_bare(self, prefix: str) -> bool:  # noqa: ARG002  # the port's
        """See FolderReader.is_bare; a walk says so by itself."""
        return False

    def is_away(self, path: str) -> bool:  # noqa: ARG002  # the port's
        """See FolderReader.is_away; a store that is away is an error."""
        return False

    def open(self, found: FoundFile) -> io.BufferedReader:
        """The object as a file that fetches what is read of it; reading raises NotFound and StorageUnavailable."""
        return io.BufferedReader(_RangedObject(self._client, found))

    def fetch(self, path: str, copy: Path) -> None:
        """Write an object into a file; raises NotFound and StorageUnavailable."""
        bucket, key = _split(path)
        with storage_errors(path):
            self._client.fget_object(bucket, key, str(copy))

    def _list(self, bucket: str, key_prefix: str) -> Iterator[Object]:
        with storage_errors(f"{bucket}/{key_prefix}"):
            yield from self._client.list_objects(bucket, key_prefix, recursive=True)

    def _own_names(self, bucket: str, metadata: Object) -> frozenset[str]:
        if not 0 < (metadata.size or 0) <= LARGEST_METADATA_BYTES:
            return frozenset()
        found = FoundFile(f"{SCHEME}{bucket}/{metadata.object_name}", _stamp(metadata))
        with self.open(found) as file:
            return own_names(file.read())


class _RangedObject(io.RawIOBase):
    """An object that is read in blocks, each fetched when it is first wanted."""

    def __init__(self, client: Minio, found: FoundFile) -> None:
        self.name = found.path  # by which mutagen tells formats
        self._client = client
        self._size_bytes = found.stamp.size_bytes
        self._at = 0
        self._block = lru_cache(_BLOCKS)(self._fetch)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"{self.name}: a negative position")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override] # io's own is a protocol
        number, start = divmod(self._at, _BLOCK_BYTES)
        data = self._block(number)[start : start + len(buffer)] if self._at < self._size_bytes else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _fetch(self, number: int) -> bytes:
        bucket, key = _split(self.name)
        offset = number * _BLOCK_BYTES
        length = min(_BLOCK_BYTES, self._size_bytes - offset)
        with storage_errors(self.name):
            response = self._client.get_object(bucket, key, offset=offset, length=length)
            try:
                return response.read()
            finally:
                response.close()
                response.release_conn()


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.removeprefix(SCHEME).partition("/")
    return bucket, key


def _name(found: Object) -> str:
    return PurePosixPath(found.object_name or "").name


def _folder(found: Object) -> str:
    return str(PurePosixPath(found.object_name or "").parent)


def _is_hidden(found: Object, key_prefix: str) -> bool:
    inside = (found.object_name or "").removeprefix(key_prefix)
    return any(part.startswith(".") for part in inside.split("/"))


def _stamp(found: Object) -> FileStamp:
    modified_s = found.last_modified.timestamp() if found.last_modified else 0.0
    return FileStamp(found.size or 0, int(modified_s) * _NS_PER_S)
