"""One router works: the lock in PostgreSQL, lost in every way that there is."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.router.adapters.active_lock import LEASE_S, ActiveLock, is_shared
from stemhouse.platform.databases import open_database
from tests.postgres import postgres_server

_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server for all tests of this module."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


class Holder:
    """Wants the lock, and notes when it got and when it lost it."""

    def __init__(self, url: str) -> None:
        self.stop, self.taken, self.lost = threading.Event(), threading.Event(), threading.Event()
        self.taken_s = self.lost_s = 0.0
        self._lock = ActiveLock(url, self._lose)
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        if self._lock.take(self.stop):
            self.taken_s = time.monotonic()
            self.taken.set()

    def _lose(self, _cause: str) -> None:
        if not self.lost.is_set():
            self.lost_s = time.monotonic()
        self.lost.set()

    def give_up(self) -> None:
        """Wait no longer."""
        self.stop.set()
        self._thread.join(_TIMEOUT_S)
        assert not self._thread.is_alive()


def _backend_pids(url: str) -> list[int]:
    """Of the connections that hold the lock."""
    engine = open_database(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted")).scalars()
        pids = list(found)
    engine.dispose()
    return pids


def _terminate(url: str, _holder: Holder) -> None:
    """The connection is closed."""
    engine = open_database(url)
    with engine.connect() as connection:
        for pid in _backend_pids(url):
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    engine.dispose()


def _freeze(url: str, holder: Holder) -> None:
    """The server's process is there and does not answer; once that is noticed, it is gone."""
    [pid] = _backend_pids(url)
    os.kill(pid, signal.SIGSTOP)
    try:
        assert holder.lost.wait(_TIMEOUT_S)
    finally:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("lose", [_terminate, _freeze])
def test_next_one_begins_after_the_one_before_has_ended(lose: Callable[[str, Holder], None], postgres_url: str) -> None:
    """However the connection was lost; and nobody begins while it holds."""
    first = Holder(postgres_url)
    assert first.taken.wait(_TIMEOUT_S)
    second = Holder(postgres_url)
    assert not second.taken.wait(6)
    assert not first.lost.is_set()
    lose(postgres_url, first)
    free_s = time.monotonic()
    assert second.taken.wait(_TIMEOUT_S)
    assert first.lost.is_set()
    # Also one that had noticed nothing would have ended by its own clock.
    assert max(first.lost_s, free_s + LEASE_S) < second.taken_s
    _terminate(postgres_url, second)
    assert second.lost.wait(_TIMEOUT_S)


def test_waiting_ends_when_told(postgres_url: str) -> None:
    """Also where the database is away."""
    first = Holder(postgres_url)
    assert first.taken.wait(_TIMEOUT_S)
    for url in (postgres_url, "postgresql+psycopg://stemhouse@127.0.0.1:1/ledger"):
        waiting = Holder(url)
        waiting.give_up()
        assert not waiting.taken.is_set()
    _terminate(postgres_url, first)


def test_only_a_ledger_of_postgresql_is_shared(tmp_path: Path) -> None:
    """An SQLite file is one router's."""
    assert is_shared("postgresql+psycopg://somebody@somewhere/ledger")
    assert not is_shared(f"sqlite:///{tmp_path}/ledger.db")
