"""Uploads into the object store by way of a scratch file: the key is a digest, known only at the end."""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stemhouse.audio import SourceRef
from stemhouse.errors import InvalidRequest
from stemhouse.ports import ObjectStore


class SpooledUploads:
    """See the Uploads port."""

    def __init__(self, store: ObjectStore, scratch_dir: Path, max_bytes: int) -> None:
        """Keep the store, where to spool, and the largest file taken."""
        self._store = store
        self._scratch_dir = scratch_dir
        self._max_bytes = max_bytes

    def receive(self, file_name: str, chunks: Iterable[bytes]) -> SourceRef:
        """See Uploads.receive. The scratch file has no name, so it is gone whatever happens."""
        sha256, md5, size_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        with tempfile.TemporaryFile(dir=self._scratch_dir) as spool:
            for chunk in chunks:
                size_bytes += len(chunk)
                self._check_size(file_name, size_bytes)
                sha256.update(chunk)
                md5.update(chunk)
                spool.write(chunk)
            source = SourceRef(sha256.hexdigest(), md5.hexdigest(), size_bytes, file_name)
            spool.seek(0)
            self._store.put(_key(source), spool)
        return source

    def holds(self, source: SourceRef) -> bool:
        """See Uploads.holds."""
        return self._store.size_bytes(_key(source)) == source.size_bytes

    def discard(self, source: SourceRef) -> None:
        """See Uploads.discard."""
        self._store.delete(_key(source))

    def _check_size(self, file_name: str, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            message = f"{file_name} is larger than {self._max_bytes} bytes"
            raise InvalidRequest(message, {"chunk": message})


def _key(source: SourceRef) -> str:
    return f"sources/{source.sha256}"
