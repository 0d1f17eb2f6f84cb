"""What more than one core asks of the world."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


class ObjectStore(Protocol):
    """Objects by key. A reader sees an object whole or not at all.

    Keys are relative paths of [A-Za-z0-9._/-]. Every method raises StorageUnavailable when the store does not
    answer for long; reading a missing key raises NotFound.
    """

    def put(self, key: str, source: BinaryIO) -> None:
        """Store what `source` still holds, replacing an older object."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Store a small object (<= 1 MiB) unless the key is taken; exactly one of racing callers gets True."""

    def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """The object in chunks of at most 1 MiB, from an offset on that is 0 or less than its size."""

    def size_bytes(self, key: str) -> int | None:
        """The object's size, or None if there is none."""

    def delete(self, key: str) -> None:
        """Remove the object; a missing one is no error."""

    def list_keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, in order."""


@dataclass(frozen=True)
class PrefixFile:
    """An object; `path` is relative to the prefix, `modified_s` since 1970 in whole seconds, `etag` of its bytes."""

    path: str
    size_bytes: int
    modified_s: int
    etag: str


class Prefix(Protocol):
    """Files below a prefix of an object store, named by people; every method raises StorageUnavailable."""

    url: str

    def files(self) -> Iterator[PrefixFile]:
        """All of them, in the order of their keys. Raises NotFound if there is no such bucket."""

    def find(self, path: str) -> PrefixFile | None:
        """The file, if there is one."""

    def fetch(self, path: str, target: Path) -> None:
        """Write its bytes into a file; raises NotFound."""

    def store(self, path: str, source: Path) -> PrefixFile:
        """Put a file there, whole or not at all, in the place of what has that name."""

    def remove(self, path: str) -> None:
        """A missing one is no error."""
