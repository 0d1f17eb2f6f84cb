"""Tenants: who shares a house, and nothing that is in it."""

from dataclasses import dataclass

_PREFIX = "tenants"


@dataclass(frozen=True)
class Tenant:
    """One of them, by name; without a name it is the house itself, as it is for all where nobody names tenants."""

    name: str = ""

    def key(self, own: str) -> str:
        """What is known to a tenant as `own`, as all others would have to call it: in the store and in the ledger."""
        return f"{_PREFIX}/{self.name}/{own}" if self.name else own

    def own(self, key: str) -> str:
        """The inverse."""
        return key.removeprefix(self.key(""))


HOUSE = Tenant()
