"""Tenants in messages: their names."""

from stemhouse.tenants import Tenant
from stemhouse.wire.validation import TENANT, FieldChecks


def tenant_from_proto(name: str) -> Tenant:
    """The tenant of that name, empty for the house; raises InvalidRequest for what is no name."""
    checks = FieldChecks()
    checks.require("tenant", holds=not name or TENANT.fullmatch(name) is not None, because="is no name of a tenant")
    checks.done()
    return Tenant(name)
