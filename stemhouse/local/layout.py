"""Which processes make up a stack, and the settings that each is given."""

import os
import sys

from stemhouse.local.children import ChildSpec
from stemhouse.local.home import Home
from stemhouse.local.ports import LOOPBACK, free_ports
from stemhouse.local.store import store_spec

ROUTER, SEPARATOR, LIBRARY, EXPORTER = "router", "separator", "library", "exporter"
CLOUD_SEPARATOR = "separator-cloud"
"""A second separator, which is started where there is a key of LALAL.AI; nobody else is given it."""

_CLOUD_KEYS = ("STEMHOUSE_LALAL__KEY", "STEMHOUSE_LALAL__KEY_FILE")
_SECURITY = ("STEMHOUSE_TLS__", "STEMHOUSE_TOKEN", "STEMHOUSE_ACCEPTED_TOKENS", "STEMHOUSE_ALLOW_INSECURE")
"""What these begin is for servers elsewhere: the services of a stack call each other over loopback, as they are."""


def stack_specs(home: Home) -> list[ChildSpec]:
    """The store, then the services, each on a free port."""
    store = store_spec(home)
    names = (ROUTER, SEPARATOR, LIBRARY, EXPORTER, *([CLOUD_SEPARATOR] if _has_cloud_key() else []))
    addresses = {name: f"{LOOPBACK}:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)}
    own_settings = {
        ROUTER: {
            "SEPARATORS": ",".join(addresses[name] for name in (SEPARATOR, CLOUD_SEPARATOR) if name in addresses),
            "DATABASE_URL": _database_url(home, ROUTER, "ledger.db"),
            **_policy_setting(home),
        },
        SEPARATOR: {"MODELS__DIR": str(home.models_dir)},
        CLOUD_SEPARATOR: {"MODELS__DIR": str(home.models_dir), "FLAVOUR": "cloud"},
        LIBRARY: {
            "DATABASE_URL": _database_url(home, LIBRARY, "library.db"),
            "ROUTER": addresses[ROUTER],
            "EXPORTER": addresses[EXPORTER],
            "STORE_DIR": str(home.store_dir),
        },
    }
    common = {
        "EXIT_WITH_STDIN": "1",
        "SCRATCH_DIR": str(home.scratch_dir),
        "STORE__ENDPOINT": store.address,
        "STORE__CREDENTIALS_FILE": str(home.credentials_file),
    }
    services = [
        _service_spec(home, name, address, {**common, **own_settings.get(name, {})})
        for name, address in addresses.items()
    ]
    return [store, *services]


def _has_cloud_key() -> bool:
    return any(os.environ.get(variable) for variable in _CLOUD_KEYS)


def _policy_setting(home: Home) -> dict[str, str]:
    """The home's own policy, unless the environment names one."""
    has_own = home.policy_file.exists() and not os.environ.get("STEMHOUSE_POLICY")
    return {"POLICY": str(home.policy_file)} if has_own else {}


def _service_spec(home: Home, name: str, address: str, settings: dict[str, str]) -> ChildSpec:
    variables = {f"STEMHOUSE_{key}": value for key, value in {**settings, "LISTEN": address}.items()}
    kept_back = _SECURITY if name == CLOUD_SEPARATOR else (*_SECURITY, *_CLOUD_KEYS)
    inherited = {key: value for key, value in os.environ.items() if not key.upper().startswith(kept_back)}
    service = name.partition("-")[0]
    return ChildSpec(
        name=name,
        command=(sys.executable, "-m", f"services.{service}.main"),
        address=address,
        environment={**inherited, **variables},
        service_name=f"stemhouse.v1.{service.capitalize()}Service",
        folder=home.root,
    )


def _database_url(home: Home, service: str, file_name: str) -> str:
    folder = home.root / service
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{(folder / file_name).as_posix()}"
