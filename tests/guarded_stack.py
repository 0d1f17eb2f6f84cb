"""A stack as it stands where others can reach it: TLS, certificates inside, tokens with scopes and tenants outside."""

import hashlib
import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.local.children import ChildSpec
from stemhouse.local.home import Home
from stemhouse.local.layout import EXPORTER, LIBRARY, ROUTER, SEPARATOR, stack_specs
from stemhouse.local.store import STORE
from stemhouse.platform.security import CallerSettings
from tests.certificates import Authority, Pair

_READY_S = 120
_LEAVE_S = 30
_WORK = ["read", "separate"]

HOLDERS: Mapping[str, dict[str, Any]] = {
    "studio": {"scopes": _WORK},
    "reader": {"scopes": ["read"]},
    "boss": {"scopes": [*_WORK, "library", "admin"]},
    "library": {"scopes": _WORK},
    "acme": {"scopes": _WORK, "tenant": "acme"},
    "zenith": {"scopes": _WORK, "tenant": "zenith"},
}
"""Of tokens, by name."""


@dataclass(frozen=True)
class GuardedStack:
    """A running one: where it is, and what its callers have."""

    home: Home
    addresses: Mapping[str, str]
    authority: Authority
    tokens: Mapping[str, str]
    keys: tuple[Path, ...]
    process_ids: Mapping[str, int]

    def token_file(self, holder: str) -> Path:
        """Holds a token and nothing else."""
        return self.home.root / f"{holder}.token"

    def client(self, holder: str) -> Stemhouse:
        """The SDK in the hands of somebody."""
        caller = CallerSettings.model_validate({"tls": {"ca": self.authority.cert}, "token": self.tokens[holder]})
        return Stemhouse(self.endpoints, credentials=caller.channel_credentials())

    @property
    def endpoints(self) -> Endpoints:
        """Of the front services."""
        return Endpoints(*(self.addresses[name] for name in (ROUTER, LIBRARY, EXPORTER)))

    def log(self, name: str) -> str:
        """What a process has written."""
        return self.home.log_file(name).read_text(errors="replace")


@contextmanager
def guarded_stack(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[GuardedStack]:
    """One below a folder, with every service ready; `settings` are more of them, by variable, for all."""
    home = Home(folder)
    home.make_dirs()
    authority = Authority(folder / "certificates", "house")
    pairs = {name: authority.sign(name) for name in (ROUTER, SEPARATOR, LIBRARY, EXPORTER)}
    tokens = {holder: secrets.token_urlsafe(32) for holder in HOLDERS}
    for holder, token in tokens.items():
        (folder / f"{holder}.token").write_text(token)
    accepted = _accepted(folder / "accepted.json", tokens)
    with ExitStack() as running:
        specs = {spec.name: spec for spec in stack_specs(home)}
        for spec in specs.values():
            own = {} if spec.name == STORE else {**_guards(spec.name, pairs, authority, accepted), **(settings or {})}
            running.enter_context(_running(spec, home, own))
        processes = {name: _pid(home, name) for name in specs}
        for name in (SEPARATOR, EXPORTER, LIBRARY, ROUTER):
            _wait(specs[name], authority, pairs[ROUTER] if name == SEPARATOR else None)
        yield GuardedStack(
            home,
            {name: spec.address for name, spec in specs.items()},
            authority,
            tokens,
            tuple(pair.key for pair in pairs.values()),
            processes,
        )


def _accepted(path: Path, tokens: Mapping[str, str]) -> Path:
    listed = [
        {"name": holder, "sha256": hashlib.sha256(token.encode()).hexdigest(), **HOLDERS[holder]}
        for holder, token in tokens.items()
    ]
    path.write_text(json.dumps({"tokens": listed, "tenants": [{"name": "acme"}, {"name": "zenith", "open_jobs": 2}]}))
    return path


def _guards(name: str, pairs: Mapping[str, Pair], authority: Authority, accepted: Path) -> dict[str, str]:
    """What a service is told: separators check certificates, all others tokens."""
    own = {"TLS__CERT": pairs[name].cert, "TLS__KEY": pairs[name].key}
    more: dict[str, dict[str, object]] = {
        SEPARATOR: {"TLS__CLIENT_CA": authority.cert},
        ROUTER: {"TLS__CA": authority.cert, "ACCEPTED_TOKENS": accepted},
        EXPORTER: {"ACCEPTED_TOKENS": accepted},
        LIBRARY: {
            "ACCEPTED_TOKENS": _of_the_house(accepted),
            "TLS__CA": authority.cert,
            "TOKEN_FILE": accepted.parent / "library.token",
        },
    }
    return {f"STEMHOUSE_{key}": str(value) for key, value in {**own, **more[name]}.items()}


def _of_the_house(accepted: Path) -> Path:
    """A library is one tenant's, here the house's."""
    tokens = [token for token in json.loads(accepted.read_text())["tokens"] if "tenant" not in token]
    path = accepted.with_name("accepted-by-library.json")
    path.write_text(json.dumps({"tokens": tokens}))
    return path


@contextmanager
def _running(spec: ChildSpec, home: Home, settings: Mapping[str, str]) -> Iterator[None]:
    inherited = {name: value for name, value in spec.environment.items() if name != "STEMHOUSE_EXIT_WITH_STDIN"}
    with home.log_file(spec.name).open("wb") as log:
        process = subprocess.Popen(
            spec.command, env={**inherited, **settings}, stdout=log, stderr=subprocess.STDOUT, cwd=Path.cwd()
        )
        (home.run_dir / f"{spec.name}.pid").write_text(str(process.pid))
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_LEAVE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _pid(home: Home, name: str) -> int:
    return int((home.run_dir / f"{name}.pid").read_text())


def _wait(spec: ChildSpec, authority: Authority, pair: Pair | None) -> None:
    """Until the service is ready, by its own word."""
    tls = {"ca": authority.cert, "cert": pair and pair.cert, "key": pair and pair.key}
    credentials = CallerSettings.model_validate({"tls": tls}).channel_credentials()
    assert credentials
    with grpc.secure_channel(spec.address, credentials) as channel:
        watch: Any = health_pb2_grpc.HealthStub(channel).Watch  # type: ignore[attr-defined]  # its stub has none
        request = health_pb2.HealthCheckRequest(service=spec.service_name)
        for answer in watch(request, timeout=_READY_S, wait_for_ready=True):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
