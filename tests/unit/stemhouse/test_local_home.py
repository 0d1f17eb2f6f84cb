"""Where the stack lives, which ports it takes, and who it belongs to."""

import json
import os
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from stemhouse.client.endpoints import Endpoints
from stemhouse.errors import Unavailable
from stemhouse.local.doctor import examine
from stemhouse.local.home import HOME_VARIABLE, Home, find_home
from stemhouse.local.leases import Lease, has_clients
from stemhouse.local.ports import GRPC_OFFSET, LOOPBACK, free_port_pair, free_ports
from stemhouse.local.processes import ProcessId, end_processes
from stemhouse.local.record import ChildRecord, StackRecord, read_record, write_record
from stemhouse.local.stack import require_stack


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with its folders."""
    home = Home(tmp_path)
    home.make_dirs()
    return home


def test_named_home_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Even in a checkout; a relative name becomes absolute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(HOME_VARIABLE, "elsewhere")
    assert find_home().root == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("project", "has_services", "is_checkout"),
    [('name = "stemhouse"', True, True), ('name = "stemhouse"', False, False), ('name = "x"', True, False)],
)
def test_checkout_keeps_its_data_inside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, project: str, *, has_services: bool, is_checkout: bool
) -> None:
    """A checkout is a project of our name with the services; elsewhere the platform's folder is used."""
    monkeypatch.delenv(HOME_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f"[project]\n{project}\n")
    if has_services:
        (tmp_path / "services").mkdir()
    expected = tmp_path / "data" if is_checkout else platformdirs.user_data_path("stemhouse")
    assert find_home().root == expected


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_store_folder_is_private(home: Home) -> None:
    """Nobody else may list it."""
    assert stat.S_IMODE(home.store_dir.stat().st_mode) == 0o700


def test_free_ports_are_different_and_can_be_bound() -> None:
    """All at the same time."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    listeners = [socket.create_server((LOOPBACK, port)) for port in ports]
    for listener in listeners:
        listener.close()


def test_port_pair_has_the_distance() -> None:
    """Both ends can be bound."""
    low, high = free_port_pair()
    assert high - low == GRPC_OFFSET
    socket.create_server((LOOPBACK, high)).close()


def test_process_is_known_by_pid_and_creation() -> None:
    """A pid that now belongs to another process does not count, nor does one that has ended."""
    here = ProcessId.of(os.getpid())
    assert here.find()
    assert ProcessId(here.pid, here.created_s - 100).find() is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    identity = ProcessId.of(ended.pid)
    ended.wait()
    assert identity.find() is None


def test_process_that_does_not_listen_is_killed() -> None:
    """After the grace."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert end_processes([ProcessId.of(process.pid)], grace_s=0.2) == 1
    assert ProcessId(process.pid, 0.0).find() is None


def test_record_reads_as_it_was_written(home: Home) -> None:
    """Children included."""
    here = ProcessId.of(os.getpid())
    record = StackRecord(here, {"router": ChildRecord(here, "127.0.0.1:1", "x.Router", 2)}, is_store_verified=True)
    write_record(home, record)
    assert read_record(home) == record


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"supervisor": {"pid": 1}, "children": {}}'])
def test_unreadable_record_counts_as_none(home: Home, text: str) -> None:
    """For example one of an older version."""
    home.stack_file.write_text(text)
    assert read_record(home) is None


def test_lease_counts_while_it_is_held(home: Home) -> None:
    """Two of one process are two."""
    with Lease(home):
        with Lease(home):
            assert has_clients(home)
        assert has_clients(home)
    assert not has_clients(home)


def test_lease_of_a_dead_process_does_not_count(home: Home) -> None:
    """Its file is removed."""
    code = (
        "import os, sys; from pathlib import Path; from stemhouse.local.home import Home; "
        "from stemhouse.local.leases import Lease; Lease(Home(Path(sys.argv[1]))).__enter__(); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(home.root)], check=False)
    assert list(home.clients_dir.iterdir())
    assert not has_clients(home)
    assert not list(home.clients_dir.iterdir())


def test_doctor_finds_this_installation_well(home: Home) -> None:
    """The development environment has everything; each problem would come with a remedy."""
    checks = examine(home)
    assert [check for check in checks if check.is_essential and not check.is_ok] == []


def test_doctor_names_what_to_do_about_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """Here a file stands in its place."""
    (tmp_path / "home").touch()
    problems = [check for check in examine(Home(tmp_path / "home")) if not check.is_ok and check.is_essential]
    assert [(check.name, "STEMHOUSE_HOME" in check.remedy) for check in problems] == [("home", True)]
    with pytest.raises(Unavailable, match=r"home: Not a directory; set STEMHOUSE_HOME to a folder of yours$"):
        Home(tmp_path / "home").make_dirs()


def test_doctor_tells_which_models_are_installed(tmp_path: Path) -> None:
    """And, where there is none, the command that gets one; it is not essential."""
    home = Home(tmp_path)
    (missing,) = (check for check in examine(home) if check.name == "models")
    assert (missing.is_ok, missing.is_essential, missing.remedy) == (False, False, "stemhouse models pull htdemucs")
    (home.models_dir / "tiny").mkdir(parents=True)
    (home.models_dir / "tiny" / "model.json").touch()
    (found,) = (check for check in examine(home) if check.name == "models")
    assert (found.is_ok, found.finding) == (True, "tiny")


def test_record_of_another_version_can_still_be_read(home: Home) -> None:
    """Else its stack could not even be stopped: unknown fields are passed over, missing ones are empty."""
    here = ProcessId.of(os.getpid())
    process = {"pid": here.pid, "created_s": here.created_s, "new": 1}
    child = {"process": process, "address": "127.0.0.1:1", "colour": "red"}
    home.stack_file.write_text(json.dumps({"supervisor": process, "children": {"router": child}, "mood": "good"}))
    assert read_record(home) == StackRecord(here, {"router": ChildRecord(here, "127.0.0.1:1")})


def test_stack_is_gone_once_it_stops_or_lives_elsewhere(home: Home) -> None:
    """While its supervisor lives, services that restart are waited for; each other case names the command."""
    here = ProcessId.of(os.getpid())
    endpoints = Endpoints("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
    children = {name: ChildRecord(here, getattr(endpoints, name)) for name in ("router", "library", "exporter")}
    running = StackRecord(here, children)
    write_record(home, running)
    require_stack(home, endpoints)
    for gone in (
        replace(running, is_stopping=True),
        replace(running, supervisor=replace(here, created_s=0.0)),
        replace(running, children=children | {"router": ChildRecord(here, "127.0.0.1:9")}),
        replace(running, children={}),
    ):
        write_record(home, gone)
        with pytest.raises(Unavailable, match="`stemhouse up`"):
            require_stack(home, endpoints)
    home.stack_file.unlink()
    with pytest.raises(Unavailable, match="`stemhouse up`"):
        require_stack(home, endpoints)
