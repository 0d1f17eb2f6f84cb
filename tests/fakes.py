"""Fakes of the ports; each passes the contract suite of the adapter that it stands for."""

from collections.abc import Iterator
from typing import BinaryIO

from stemhouse.errors import NotFound

_CHUNK_BYTES = 1024 * 1024


class MemoryObjectStore:
    """ObjectStore in a dictionary; `objects` is there for tests to look into."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, source: BinaryIO) -> None:
        """See ObjectStore.put."""
        self.objects[key] = source.read()

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ObjectStore.put_if_absent."""
        return self.objects.setdefault(key, data) is data

    def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """See ObjectStore.read."""
        if key not in self.objects:
            message = f"no object {key}"
            raise NotFound(message, {"object_key": key})
        data = self.objects[key]
        for start in range(offset_bytes, len(data), _CHUNK_BYTES):
            yield data[start : start + _CHUNK_BYTES]

    def size_bytes(self, key: str) -> int | None:
        """See ObjectStore.size_bytes."""
        data = self.objects.get(key)
        return None if data is None else len(data)

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        self.objects.pop(key, None)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.list_keys."""
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))
