"""Scopes: every method has one, and nothing has one that is no method."""

from stemhouse.platform.scopes import SCOPES, Scope, scope_of
from stemhouse.v1 import exporter_pb2, library_pb2, router_pb2, separator_pb2

FILES = (router_pb2, library_pb2, exporter_pb2, separator_pb2)


def test_every_method_has_a_scope() -> None:
    """A new method fails this test until somebody has thought about it."""
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(SCOPES) == methods


def test_unknown_method_takes_the_most() -> None:
    """Nothing is open because it was forgotten."""
    assert scope_of("/stemhouse.v1.RouterService/Unheard") is Scope.ADMIN


def test_what_spends_or_removes_is_for_admins() -> None:
    """And a reader changes nothing."""
    for method in ("ClearCache", "AllowCloud", "SettleCloud", "AddModel"):
        assert scope_of(f"/stemhouse.v1.RouterService/{method}") is Scope.ADMIN
    readable = {method.rpartition("/")[2] for method, scope in SCOPES.items() if scope is Scope.READ}
    assert not [
        method for method in readable if method.startswith(("Add", "Clear", "Start", "Submit", "Upload", "Cancel"))
    ]
