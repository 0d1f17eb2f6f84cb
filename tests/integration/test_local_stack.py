"""SeaweedFS as the local stack runs it, and the whole stack under its supervisor."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import urllib3

from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InvalidRequest, StorageUnavailable, Unavailable
from stemhouse.local.children import Child, ChildSpec
from stemhouse.local.health import Health
from stemhouse.local.home import HOME_VARIABLE, Home
from stemhouse.local.processes import ProcessId
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stack_status, stop_stack
from stemhouse.local.store import clear_up, store_settings, store_spec, verify_store
from stemhouse.platform.object_stores import StoreSettings, connect_object_store

pytestmark = pytest.mark.stack

_GRACE_S = 30.0


@contextmanager
def running_store(home: Home, spec: ChildSpec | None = None) -> Iterator[tuple[StoreSettings, int]]:
    """A verified store of the home, and its process id."""
    child = Child(spec or store_spec(home), home.log_file("store"), time.monotonic, echo=False)
    child.start()
    try:
        settings = store_settings(home, child.spec.address)
        verify_store(settings)
        yield settings, child.record().process.pid
    finally:
        child.ask_to_stop()
        child.wait_or_kill(_GRACE_S)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose stack is stopped afterwards."""
    home = Home(tmp_path / "home")
    home.make_dirs()
    yield home
    stop_stack(home)


def test_objects_survive_clearing_up_and_a_restart_on_other_ports(home: Home) -> None:
    """With the same credentials; the room of those that were deleted is given back when it is asked for."""
    content, spec = os.urandom(3_000_000), store_spec(home)
    with running_store(home, spec) as (first, _):
        store = connect_object_store(first)
        for name in ("abc", "gone"):
            store.put(f"sources/{name}", io.BytesIO(content))
        store.delete("sources/gone")
        give_up_at_s = time.monotonic() + _GRACE_S
        while _volume_bytes(home) > len(content) * 1.1:  # the deletion reaches the volume a moment later
            assert time.monotonic() < give_up_at_s
            clear_up(spec)
    with pytest.raises(StorageUnavailable, match="does not clear up"):
        clear_up(spec)
    with running_store(home) as (second, _):
        store = connect_object_store(second)
        assert b"".join(store.read("sources/abc")) == content
        store.put("sources/def", io.BytesIO(content))
        assert b"".join(store.read("sources/def")) == content
    assert first.endpoint != second.endpoint


def _volume_bytes(home: Home) -> int:
    return sum(file.stat().st_size for file in home.store_dir.glob("data/*.dat"))


def test_two_stores_run_side_by_side(tmp_path: Path) -> None:
    """Every port of one differs from every port of the other, and the keys of one are not those of the other."""
    homes = [Home(tmp_path / name) for name in "ab"]
    for home in homes:
        home.make_dirs()
    with running_store(homes[0]) as (first, _), running_store(homes[1]) as (second, _):
        stranger = second.model_copy(update={"credentials_file": first.credentials_file})
        with pytest.raises(StorageUnavailable):
            connect_object_store(stranger).put("sources/abc", io.BytesIO(b"x"))


def test_store_runs_in_a_home_with_a_long_path(tmp_path: Path) -> None:
    """Longer than the address of a Unix socket can be."""
    home = Home(tmp_path / ("long" * 30))
    home.make_dirs()
    with running_store(home) as (settings, _):
        connect_object_store(settings).probe()


def test_store_listens_on_loopback_only(home: Home) -> None:
    """Ten ports: HTTP and gRPC of master, volume, filer, S3 and admin."""
    with running_store(home) as (_, pid):
        listening = [
            connection.laddr
            for connection in psutil.Process(pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert len({address.port for address in listening}) == 10


def test_store_has_no_secret_in_sight(home: Home) -> None:
    """Neither on its command line, nor in its environment, nor in its log; and its files are for their owner."""
    with running_store(home) as (_, pid):
        process = psutil.Process(pid)
        exposed = " ".join([*process.cmdline(), *process.environ().values()])
    exposed += home.log_file("store").read_text()
    keys = json.loads(home.credentials_file.read_bytes())
    assert keys["secret_key"] not in exposed
    for file in (home.credentials_file, home.store_dir / "identities.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_strangers_are_refused(home: Home) -> None:
    """Reading, writing and listing without credentials."""
    with running_store(home) as (settings, _), urllib3.PoolManager() as http:
        connect_object_store(settings).put("sources/abc", io.BytesIO(b"secret"))
        base = f"http://{settings.endpoint}/{settings.bucket}"
        wishes = [("GET", f"{base}/sources/abc"), ("PUT", f"{base}/sources/def"), ("GET", base)]
        assert [http.request(method, url).status for method, url in wishes] == [403, 403, 403]


def test_store_that_is_open_to_strangers_is_not_verified(home: Home) -> None:
    """A public bucket is found out."""
    with running_store(home) as (settings, _):
        store = connect_object_store(settings)
        everybody = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "s3:ListBucket",
                    "Resource": f"arn:aws:s3:::{settings.bucket}",
                }
            ],
        }
        store._client.set_bucket_policy(settings.bucket, json.dumps(everybody))
        with pytest.raises(StorageUnavailable, match="without credentials"):
            verify_store(settings)


def _start_two(home: Home) -> list["subprocess.Popen[str]"]:
    """Two command lines at the same moment."""
    return [
        subprocess.Popen(
            [sys.executable, "-m", "stemhouse.cli.main", "engines", "--json"],
            env={**os.environ, HOME_VARIABLE: str(home.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]


def test_two_command_lines_at_once_start_one_stack(home: Home) -> None:
    """And both get their answer from it."""
    answers = [process.communicate(timeout=200) for process in _start_two(home)]
    assert [json.loads(stdout)["engines"][0]["name"] for stdout, _ in answers] == ["starter", "starter"]
    assert sum("starting the local stack" in stderr for _, stderr in answers) == 1
    assert all(status.health is Health.SERVING for status in stack_status(home))
    record = read_record(home)
    assert record
    supervisors = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "stemhouse.local.supervisor" in (process.info["cmdline"] or [])
        and process.environ().get(HOME_VARIABLE) == str(home.root)
    ]
    assert [process.pid for process in supervisors] == [record.supervisor.pid]


def test_stack_comes_back_after_its_supervisor_was_killed(home: Home) -> None:
    """The services leave by themselves, the store is ended by the next start, which may not meet it."""
    ensure_stack(home, print)
    record = read_record(home)
    assert record
    os.kill(record.supervisor.pid, signal.SIGKILL)
    while record.supervisor.find():  # a signal takes a moment, in which the stack still looks well
        time.sleep(0.01)
    with Stemhouse(ensure_stack(home, print)) as client:
        assert client.survey().offers
    assert not any(child.process.find() for child in record.children.values())


def test_nothing_is_left_running_after_a_stop(home: Home) -> None:
    """No child, no child's child, no port."""
    ensure_stack(home, print)
    record = read_record(home)
    assert record
    family = [ProcessId.of(process.pid) for process in psutil.Process(record.supervisor.pid).children(recursive=True)]
    assert len(family) >= len(record.children)
    assert stop_stack(home)
    assert not any(identity.find() for identity in (record.supervisor, *family))
    assert not stop_stack(home)


@pytest.mark.parametrize(("name", "value"), [("STEMHOUSE_IDLE_S", "soon"), ("STEMHOUSE_CONCURRENT_JOBS", "many")])
def test_wrong_setting_is_told_by_its_variable(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """One of the supervisor and one of a service; nothing is left running."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidRequest, match=f"^{name}: "):
        ensure_stack(home, print)
    assert stack_status(home) == []


def test_stack_that_cannot_start_says_why(home: Home) -> None:
    """The end of the log of what does not work is in the message."""
    (home.root / "router").mkdir()
    (home.root / "router" / "ledger.db").mkdir()
    with pytest.raises(Unavailable, match=r"router.*router\.log"):
        ensure_stack(home, print)
