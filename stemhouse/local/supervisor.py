"""The process that owns a local stack: `python -m stemhouse.local.supervisor`, or `stemhouse up --foreground`.

It restarts what dies, on the same port, and leaves when nobody has needed the stack for a while.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from filelock import FileLock, Timeout
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemhouse.batches import BatchState
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InvalidRequest, StemhouseError, StorageUnavailable, Unavailable
from stemhouse.local.children import Child, ChildSpec
from stemhouse.local.home import Home
from stemhouse.local.layout import EXPORTER, LIBRARY, ROUTER, stack_specs
from stemhouse.local.leases import has_clients
from stemhouse.local.origin import present_origin
from stemhouse.local.processes import ProcessId, end_processes
from stemhouse.local.record import StackRecord, read_record, write_record
from stemhouse.local.store import CLEARING_EVERY_S, STORE, clear_up, store_settings, verify_store
from stemhouse.platform.entry import ERROR_PREFIX, WRONG_SETTINGS_EXIT_CODE, enter
from stemhouse.platform.settings import read_settings
from stemhouse.platform.telemetry import configure_logging
from stemhouse.vocab import JobState

log = structlog.get_logger(__name__)

STOP_GRACE_S = 20.0
"""What each of the services may take to leave before it is killed."""

_STORE_GRACE_S = 4.0
"""A store that has worked was seen to hang in its own shutdown; its objects survive a kill."""

_TICK_S = 0.25


class IdleWatch:
    """Tells when nobody has needed the stack for `idle_s` seconds: no client, no job or batch that goes on."""

    def __init__(
        self, home: Home, idle_s: float, has_work: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin as if somebody had just left; `has_work` is asked only when the time is over."""
        self._home = home
        self._idle_s = idle_s
        self._has_work = has_work
        self._clock = clock
        self._needed_at_s = clock()

    def is_over(self) -> bool:
        """Whether the stack may leave now."""
        now_s = self._clock()
        if self._home.keep_file.exists() or has_clients(self._home):
            self._needed_at_s = now_s
        if now_s - self._needed_at_s < self._idle_s:
            return False
        if self._has_work():
            self._needed_at_s = now_s
            return False
        return True


class Supervisor:
    """Runs the children of one home until it is told to stop or is idle."""

    def __init__(
        self,
        home: Home,
        specs: Sequence[ChildSpec],
        idle: IdleWatch,
        verify: Callable[[], None],
        *,
        echo: bool = False,
    ) -> None:
        """`specs` in order of their start; the first, the store, is stopped last. `verify` checks the store."""
        self._home = home
        self._idle = idle
        self._verify = verify
        self._children = [Child(spec, home.log_file(spec.name), time.monotonic, echo=echo) for spec in specs]
        self._started: list[Child] = []
        self._identity = ProcessId.of(os.getpid())
        self._origin = present_origin(home)
        self._is_store_verified = False
        self._is_stopping = False
        self._is_changed = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Start everything, keep it alive, and stop it in order. Raises InvalidRequest for settings that are wrong."""
        try:
            for child in self._children:
                child.start()
                self._started.append(child)
                self._write_record()
            threading.Thread(target=self._verify_store, args=(stop,), daemon=True).start()
            while not stop.wait(_TICK_S) and not self._leaves_idle():
                self._keep_alive()
        finally:
            self._stop_children()

    def _keep_alive(self) -> None:
        """Raises InvalidRequest, in the words of a service, if that will not start with its settings."""
        for child in self._started:
            if child.spec.service_name and child.exit_code == WRONG_SETTINGS_EXIT_CODE:
                raise InvalidRequest(child.last_line.removeprefix(ERROR_PREFIX))
            if child.restart_if_dead():
                log.warning("restarted", child=child.spec.name)
                self._is_changed.set()
        if self._is_changed.is_set():
            self._is_changed.clear()
            self._write_record()

    def _verify_store(self, stop: threading.Event) -> None:
        try:
            self._verify()
        except StemhouseError as error:
            log.warning("the object store cannot be used: stopping", reason=error.reason, error=error.message)
            stop.set()
        else:
            log.info("the object store works, and refuses strangers")
            self._is_store_verified = True
            self._is_changed.set()

    def _leaves_idle(self) -> bool:
        """Decide under the start lock, so that no client attaches to a stack that is about to leave."""
        if not self._idle.is_over():
            return False
        try:
            with FileLock(self._home.start_lock_file, timeout=0):
                if has_clients(self._home):
                    return False
                log.info("nobody needs the stack: leaving")
                self._announce_stop()
        except Timeout:
            return False  # somebody is about to attach
        return True

    def _announce_stop(self) -> None:
        self._is_stopping = True
        self._write_record()

    def _stop_children(self) -> None:
        with contextlib.suppress(OSError):  # the home may be gone, or its disk full: all the more must the children end
            self._announce_stop()
        store, services = self._started[:1], self._started[1:]
        for group, grace_s in ((services, STOP_GRACE_S), (store, _STORE_GRACE_S)):
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.wait_or_kill(grace_s)
        self._home.stack_file.unlink(missing_ok=True)

    def _write_record(self) -> None:
        children = {child.spec.name: child.record() for child in self._started}
        record = StackRecord(self._identity, children, self._is_store_verified, self._is_stopping, self._origin)
        write_record(self._home, record)


def end_orphans(home: Home) -> int:
    """End what a killed supervisor has left running, and forget it; gives the number of processes."""
    record = read_record(home)
    if record is None or record.supervisor.find():
        return 0
    count = end_processes([child.process for child in record.children.values()], STOP_GRACE_S)
    home.stack_file.unlink(missing_ok=True)
    return count


def run_stack(
    home: Home, idle_s: float, *, echo: bool = False, specs_of: Callable[[Home], list[ChildSpec]] = stack_specs
) -> None:
    """Be the supervisor of a home's stack until SIGTERM, SIGINT or idleness.

    Raises Unavailable if the home has one already, or if the object store is not installed, and InvalidRequest for
    settings that a service cannot use.
    """
    home.make_dirs()
    try:
        with FileLock(home.supervisor_lock_file, timeout=0):
            orphan_count = end_orphans(home)
            specs = specs_of(home)
            addresses = {spec.name: spec.address for spec in specs}
            log.info("starting", home=str(home.root), orphans_ended=orphan_count, **addresses)
            endpoints = Endpoints(addresses[ROUTER], addresses[LIBRARY], addresses[EXPORTER])
            settings = store_settings(home, addresses[STORE])
            idle = IdleWatch(home, idle_s, lambda: _has_work(endpoints))
            stop = _stop_event()
            threading.Thread(target=_clear_up_regularly, args=(specs[0], stop), daemon=True).start()
            Supervisor(home, specs, idle, lambda: verify_store(settings), echo=echo).run(stop)
    except Timeout as error:
        message = f"a stack is running already in {home.root}"
        raise Unavailable(message) from error
    log.info("stopped")


def _clear_up_regularly(store: ChildSpec, stop: threading.Event) -> None:
    while not stop.wait(CLEARING_EVERY_S):
        try:
            clear_up(store)
        except StorageUnavailable as error:  # it may be dead, and about to be restarted
            log.warning("nothing is cleared up for now", error=error.message)


def _has_work(endpoints: Endpoints) -> bool:
    try:
        with Stemhouse(endpoints) as client:
            has_jobs = any(client.list_jobs((JobState.QUEUED, JobState.RUNNING), page_size=1))
            return has_jobs or any(batch.state is BatchState.RUNNING for batch in client.library.batches())
    except StemhouseError as error:
        log.warning("nobody tells whether there is work", error=error.message)
        return True


def _stop_event() -> threading.Event:
    stop = threading.Event()
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):  # the last: the terminal was closed; Windows has none
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    return stop


class SupervisorSettings(BaseSettings):
    """STEMHOUSE_HOME and STEMHOUSE_IDLE_S, in seconds."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_")

    home: Path
    idle_s: float = Field(default=15 * 60.0, gt=0)


def main() -> None:
    """Run the stack of $STEMHOUSE_HOME in the background."""
    configure_logging("supervisor")
    settings = read_settings(SupervisorSettings)
    run_stack(Home(settings.home), settings.idle_s)


if __name__ == "__main__":
    enter(main)
