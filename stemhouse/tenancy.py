"""The part of the object store that is a tenant's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from stemhouse.errors import NotFound, StorageUnavailable
from stemhouse.ports import ObjectStore
from stemhouse.tenants import HOUSE, Tenant


class TenantObjectStore:
    """ObjectStore in which there is nothing but one tenant's: keys are the tenant's own, before and behind it."""

    def __init__(self, store: ObjectStore, tenant: Tenant) -> None:
        """Keep both."""
        self._store = store
        self._tenant = tenant

    def put(self, key: str, source: BinaryIO) -> None:
        """See ObjectStore.put."""
        with self._own_errors():
            self._store.put(self._tenant.key(key), source)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ObjectStore.put_if_absent."""
        with self._own_errors():
            return self._store.put_if_absent(self._tenant.key(key), data)

    def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """See ObjectStore.read."""
        with self._own_errors():
            yield from self._store.read(self._tenant.key(key), offset_bytes)

    def size_bytes(self, key: str) -> int | None:
        """See ObjectStore.size_bytes."""
        with self._own_errors():
            return self._store.size_bytes(self._tenant.key(key))

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        with self._own_errors():
            self._store.delete(self._tenant.key(key))

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.list_keys."""
        with self._own_errors():
            yield from map(self._tenant.own, self._store.list_keys(self._tenant.key(prefix)))

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """Errors that name the key as the tenant knows it: whoever made it mends by that."""
        try:
            yield
        except (NotFound, StorageUnavailable) as error:
            own = {name: self._tenant.own(text) for name, text in error.details.items()}
            raise type(error)(error.message.replace(self._tenant.key(""), ""), own) from error


def store_of(store: ObjectStore, tenant: Tenant) -> ObjectStore:
    """The part of the store that is a tenant's; for the house, all of it."""
    return TenantObjectStore(store, tenant) if tenant != HOUSE else store
