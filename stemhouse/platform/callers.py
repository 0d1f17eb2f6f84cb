"""Who calls: the name that a token has, and whose tenant that is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, TypeVar

from stemhouse.tenants import HOUSE, Tenant

Value = TypeVar("Value")

_TENANT: ContextVar[Tenant] = ContextVar("tenant", default=HOUSE)


@dataclass(frozen=True)
class Caller:
    """Of a call: `name` is for the log."""

    name: str
    tenant: Tenant = HOUSE


NOBODY = Caller("")
"""Where nobody has to say who he is."""


def current_tenant() -> Tenant:
    """Whose the call is that this thread answers; the house's, unless a token said otherwise."""
    return _TENANT.get()


@contextmanager
def acting_for(tenant: Tenant) -> Iterator[None]:
    """Within the block this thread answers a call of the tenant's."""
    token = _TENANT.set(tenant)
    try:
        yield
    finally:
        _TENANT.reset(token)


class PerTenant(Generic[Value]):
    """What each tenant has of its own, made when it is first asked for. Threads may share it."""

    def __init__(self, make: Callable[[Tenant], Value]) -> None:
        """Nothing is made yet."""
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[Tenant, Value] = {}

    def of(self, tenant: Tenant) -> Value:
        """That of a tenant."""
        with self._lock:
            if tenant not in self._made:
                self._made[tenant] = self._make(tenant)
            return self._made[tenant]

    def current(self) -> Value:
        """That of the one whose call this thread answers."""
        return self.of(current_tenant())
