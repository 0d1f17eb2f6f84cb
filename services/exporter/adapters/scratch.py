"""Scratch files: without a name, so that a crash leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from services.exporter.core.ports import EncodedFile
from stemhouse.errors import Unavailable

_CHUNK_BYTES = 1024 * 1024


@contextmanager
def scratch_file(folder: Path) -> Iterator[IO[bytes]]:
    """An empty file to write and read; raises Unavailable if the folder takes none."""
    try:
        file = TemporaryFile(dir=folder)  # noqa: SIM115 # closed below; an error of the caller must not pass through here
    except OSError as error:
        raise scratch_unavailable(folder, error) from error
    try:
        yield file
    finally:
        with suppress(OSError):  # of a full disk its user has heard, and closing would write once more
            file.close()


def encoded_file(spool: IO[bytes]) -> EncodedFile:
    """All that was written to the file; raises OSError if not all of it could be."""
    size_bytes = spool.seek(0, 2)
    spool.seek(0)
    return EncodedFile(size_bytes, iter(partial(spool.read, _CHUNK_BYTES), b""))


def scratch_unavailable(folder: Path, cause: Exception) -> Unavailable:
    """What to raise when a scratch file cannot be written."""
    return Unavailable(f"cannot write to the scratch folder {folder}: {str(cause) or 'it took only a part'}")
