"""What more than one core asks of the world."""

from collections.abc import Iterator
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
