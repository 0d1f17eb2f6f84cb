"""Uploads into the object store by way of a scratch file: the key is a digest, known only at the end.

Each purpose has a prefix of its own, on which the separators rely: a file may be a track and, by mistake, a model, and
the one who is done with it drops the bytes.
"""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stemhouse.audio import SourceRef
from stemhouse.errors import InvalidRequest
from stemhouse.ports import ObjectStore

TRACKS_PREFIX = "sources"
MODELS_PREFIX = "model-uploads"


class SpooledUploads:
    """See the Uploads port."""

    def __init__(self, store: ObjectStore, scratch_dir: Path, max_bytes: int, *, prefix: str) -> None:
        """Keep the store, where to spool, the largest file taken, and what comes before the digest in keys."""
        self._store = store
        self._scratch_dir = scratch_dir
        self._max_bytes = max_bytes
        self._prefix = prefix

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
            self._store.put(self._key(source), spool)
        return source

    def holds(self, source: SourceRef) -> bool:
        """See Uploads.holds."""
        return self._store.size_bytes(self._key(source)) == source.size_bytes

    def discard(self, source: SourceRef) -> None:
        """See Uploads.discard."""
        self._store.delete(self._key(source))

    def _check_size(self, file_name: str, size_bytes: int) -> None:
        if size_bytes > self._max_bytes:
            message = f"{file_name} is larger than {self._max_bytes} bytes"
            raise InvalidRequest(message, {"chunk": message})

    def _key(self, source: SourceRef) -> str:
        return f"{self._prefix}/{source.sha256}"
