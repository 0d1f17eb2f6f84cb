"""Reading local files: in pieces, with digests, and with errors that name the file."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemhouse.audio import SourceRef
from stemhouse.errors import InvalidRequest, UnreadableAudio

CHUNK_BYTES = 1024 * 1024
"""The largest piece that a stream of Stemhouse carries."""


def read_chunks(path: Path) -> Iterator[bytes]:
    """The file's bytes in pieces of at most CHUNK_BYTES."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def source_ref_from_file(path: Path) -> SourceRef:
    """Digests, size and name of a file, read once.

    Raises InvalidRequest if it cannot be opened, UnreadableAudio if it is empty.
    """
    sha256, md5, size_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    if path.exists() and not path.is_file():
        message = f"{path} is not a regular file"
        raise InvalidRequest(message, {"file": str(path)})
    with read_errors(path):
        for chunk in read_chunks(path):
            sha256.update(chunk)
            md5.update(chunk)
            size_bytes += len(chunk)
    if not size_bytes:
        message = f"{path} is empty"
        raise UnreadableAudio(message, {"file": str(path)})
    return SourceRef(sha256.hexdigest(), md5.hexdigest(), size_bytes, wire_name(path))


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into an InvalidRequest that names the file and the cause."""
    try:
        yield
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise InvalidRequest(message, {"file": str(path)}) from error


def wire_name(path: Path) -> str:
    """The base name as UTF-8 can carry it; bytes that are no UTF-8 become question marks."""
    return path.name.encode("utf-8", "replace").decode("utf-8")


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in lower-case hex."""
    digest = hashlib.sha256()
    for chunk in read_chunks(path):
        digest.update(chunk)
    return digest.hexdigest()
