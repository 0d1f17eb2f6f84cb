"""Services as processes of their own, each where and how a test tells it; ended by process id."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from stemhouse.local.home import Home
from stemhouse.local.store import store_settings, store_spec, verify_store
from stemhouse.platform.object_stores import StoreSettings, connect_object_store
from stemhouse.ports import ObjectStore

READY_S = 120
_LEAVE_S = 30

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Household:
    """Processes with a folder for their logs, and one object store for all of them."""

    def __init__(self, folder: Path, host: str = "127.0.0.1") -> None:
        """Start nothing yet; the store will listen on `host`."""
        self.home = Home(folder)
        self.home.make_dirs()
        self._host = host
        self._store = StoreSettings(endpoint="nowhere:1", credentials_file=self.home.credentials_file)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_store(self) -> None:
        """And wait until it writes and reads."""
        spec = store_spec(self.home)
        command = [part.replace("127.0.0.1", self._host) for part in spec.command]
        self._store = store_settings(self.home, spec.address.replace("127.0.0.1", self._host))
        self._run("store", command, {**spec.environment}, spec.folder)
        verify_store(self._store)

    def store(self) -> ObjectStore:
        """For whoever looks what has been stored."""
        return connect_object_store(self._store)

    def start(self, name: str, settings: Mapping[str, object], wrapper: Sequence[str] = ()) -> None:
        """A service; its kind is what its name begins with. `wrapper` is a command that runs it elsewhere."""
        scratch = self.home.scratch_dir / name
        scratch.mkdir(exist_ok=True)
        told = {
            "STORE__ENDPOINT": self._store.endpoint,
            "STORE__CREDENTIALS_FILE": self.home.credentials_file,
            "SCRATCH_DIR": scratch,
            **settings,
        }
        own = {f"STEMHOUSE_{key}": str(value) for key, value in told.items()}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("STEMHOUSE_")}
        command = [*wrapper, sys.executable, "-m", f"services.{name.partition('-')[0]}.main"]
        self._run(name, command, {**inherited, **own}, Path.cwd())

    def _run(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path | None) -> None:
        with self.home.log_file(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )

    def kill(self, name: str) -> None:
        """Kill -9."""
        self._processes[name].kill()
        self._processes[name].wait()

    def exit_code(self, name: str) -> int:
        """Of a process that ends by itself."""
        return self._processes[name].wait(READY_S)

    def log(self, name: str) -> str:
        """What it has written."""
        return self.home.log_file(name).read_text(errors="replace")

    def end(self) -> None:
        """All of them, the store last."""
        for process in reversed(self._processes.values()):
            process.terminate()
            try:
                process.wait(_LEAVE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def household(folder: Path, host: str = "127.0.0.1") -> Iterator[Household]:
    """One whose store runs; all processes are ended at the end."""
    house = Household(folder, host)
    try:
        house.start_store()
        yield house
    finally:
        house.end()


def health(address: str, service: str, credentials: grpc.ChannelCredentials | None = None) -> int | None:
    """What a server says of a service (of itself: empty); None where nobody answers."""
    channel = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
    with channel:
        check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # its stub has none
        try:
            answer = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError:
            return None
    found: int = answer.status
    return found


def wait_for_health(
    address: str, service: str, wanted: int = SERVING, credentials: grpc.ChannelCredentials | None = None
) -> None:
    """Until the server says so."""
    deadline_s = time.monotonic() + READY_S
    while health(address, service, credentials) != wanted:
        assert time.monotonic() < deadline_s, f"{service or 'the process'} at {address} is not as it should be"
        time.sleep(0.1)
