"""What the services of a local stack are given."""

from pathlib import Path

import pytest

from stemhouse.local.home import Home
from stemhouse.local.layout import stack_specs


def test_settings_for_servers_elsewhere_stay_with_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The services of a stack call each other over loopback, as they are."""
    for name in ("TLS__CA", "TLS__CERT", "TOKEN", "TOKEN_FILE", "ACCEPTED_TOKENS", "ALLOW_INSECURE", "LOG_LEVEL"):
        monkeypatch.setenv(f"STEMHOUSE_{name}", "x")
    home = Home(tmp_path)
    home.make_dirs()
    for spec in stack_specs(home)[1:]:
        guards = ("TLS__", "TOKEN", "ACCEPTED", "ALLOW_INSECURE")
        told = [name.removeprefix("STEMHOUSE_") for name in spec.environment if name.startswith("STEMHOUSE_")]
        assert "LOG_LEVEL" in told
        assert not [name for name in told if name.startswith(guards)]
