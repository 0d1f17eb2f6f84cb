"""Scratch files: without a name, so that a crash leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from stemhouse.errors import Unavailable


@contextmanager
def scratch_file(folder: Path) -> Iterator[IO[bytes]]:
    """An empty file to write and read; raises Unavailable if the folder takes none."""
    try:
        file = TemporaryFile(dir=folder)  # noqa: SIM115 # closed below; an error of the caller must not pass through here
    except OSError as error:
        raise scratch_unavailable(folder, error) from error
    with file:
        yield file


def scratch_unavailable(folder: Path, cause: Exception) -> Unavailable:
    """What to raise when a scratch file cannot be written."""
    return Unavailable(f"cannot write to the scratch folder {folder}: {cause}")
