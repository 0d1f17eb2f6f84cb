"""A PostgreSQL server of the tests' own, on a free loopback port; skipped, with the reason, where none is installed."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DEBIAN_HOME = Path("/usr/lib/postgresql")
_OWNER = "postgres"
_TIMEOUT_S = 60


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Start a server with its data below `folder` and give the URL of its database; skips the test without one."""
    programs = _programs()
    owner = _OWNER if os.geteuid() == 0 else None  # the server refuses to run as root
    data = folder / "data"
    data.mkdir()
    if owner:
        shutil.chown(data, owner)
        for parent in [folder, *folder.parents][:3]:
            parent.chmod(0o755)
    # A language's order, as servers have it by default: what needs that of code points has to say so.
    order = ["-E", "UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
    _run([programs / "initdb", "-D", data, "-U", "stemhouse", "-A", "trust", "-N", *order], owner)
    port = _free_port()
    command = [str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(data), "-F"]
    process = subprocess.Popen(command, user=owner, cwd=data, stderr=subprocess.DEVNULL)
    try:
        _run([programs / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], owner, until_it_works=True)
        yield f"postgresql+psycopg://stemhouse@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(_TIMEOUT_S)


def _programs() -> Path:
    on_path = shutil.which("initdb")
    folders = [
        *sorted(_DEBIAN_HOME.glob("*/bin"), reverse=True),
        *([Path(on_path).resolve().parent] if on_path else []),
    ]
    for folder in folders:
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_isready")):
            return folder
    pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")


def _run(command: list[Path | str], owner: str | None, *, until_it_works: bool = False) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while True:
        done = subprocess.run(command, user=owner, cwd="/", capture_output=True, timeout=_TIMEOUT_S, check=False)
        if done.returncode == 0:
            return
        if not until_it_works or time.monotonic() > deadline_s:
            raise RuntimeError(f"{command[0]}: {done.stderr.decode()}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
