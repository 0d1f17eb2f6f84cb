"""The parts in which files are sent, and streams that end when nobody wants them any more."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from stemhouse.errors import Cancelled

Block = TypeVar("Block")


@dataclass(frozen=True)
class FileStart:
    """A file begins; its chunks follow. In a tree the name is a relative path."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class FileCopy:
    """A whole file of a tree: one of the client's own, with that digest."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class FileEnd:
    """A file is complete; the digest is that of its bytes."""

    sha256: str


@dataclass(frozen=True)
class Progress:
    """How far the work before the first file is, from 0 to 1."""

    share: float


def file_parts(
    name: str, size_bytes: int, chunks: Iterable[bytes]
) -> Generator[FileStart | bytes | FileEnd, None, str]:
    """The parts of one file; returns the digest."""
    yield FileStart(name, size_bytes)
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    yield FileEnd(digest.hexdigest())
    return digest.hexdigest()


def while_wanted(blocks: Iterable[Block], is_wanted: Callable[[], bool]) -> Iterator[Block]:
    """The blocks; raises Cancelled once `is_wanted` says no."""
    for block in blocks:
        if not is_wanted():
            message = "the delivery is not wanted any more"
            raise Cancelled(message)
        yield block
