"""Which of several routers is the active one: whoever holds a lock in the ledger's PostgreSQL.

The lock belongs to a connection, so that it is free when its holder dies. A holder whose connection is lost, or has not
answered for `LEASE_S`, is told so and has to end; whoever takes the lock waits for longer than that before it begins.
"""

import select
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from sqlalchemy.engine import make_url

log = structlog.get_logger(__name__)

LOCK_KEY = 0x5354454D48
"""Of the lock, in the ledger's database; it spells STEMH."""
_POLL_S = 1.0
_CHECK_INTERVAL_S = 0.5
LEASE_S = 3.0
_SETTLING_S = 4.0
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    # The server gives up a holder of whom it hears nothing, later than that one gives up itself.
    "options": "-c statement_timeout=0 -c idle_session_timeout=0 -c tcp_user_timeout=10000 "
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
}


def is_shared(database_url: str) -> bool:
    """Whether routers of several machines may have this ledger; an SQLite file is one router's."""
    return make_url(database_url).get_backend_name() == "postgresql"


class ActiveLock:
    """Taken by one router at a time, and held until its process ends."""

    def __init__(self, database_url: str, on_lost: Callable[[str], None]) -> None:
        """Connect to nothing yet; `on_lost` is called with the cause, from another thread, and must end all work."""
        self._address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._on_lost = on_lost

    def take(self, stop: threading.Event) -> bool:
        """Wait for the lock, and for whoever may have lost it to have ended; False if told to stop before."""
        connection = self._attempt()
        while connection is None:
            if stop.wait(_POLL_S):
                return False
            connection = self._attempt()
        self._answered_s = time.monotonic()
        for watch in (lambda: self._ask(connection), self._count):
            threading.Thread(target=watch, name="active-lock", daemon=True).start()
        log.info("lock taken")
        return not stop.wait(_SETTLING_S)

    def _attempt(self) -> "psycopg.Connection[Any] | None":
        """The connection that holds the lock; None if another one does, or if there is no database to be asked."""
        try:
            connection = psycopg.connect(self._address, autocommit=True, **_CONNECTION)
            if connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone() == (True,):
                return connection
            connection.close()
        except psycopg.Error as error:
            log.warning("the ledger's database does not answer", error=str(error))
        return None

    def _ask(self, connection: "psycopg.Connection[Any]") -> None:
        """Go on asking whether the connection is there; the end of one that is closed wakes us at once."""
        try:
            while True:
                asked_s = time.monotonic()
                connection.execute("SELECT 1")
                self._answered_s = asked_s
                select.select([connection.fileno()], [], [], _CHECK_INTERVAL_S)
        except (psycopg.Error, OSError) as error:
            self._on_lost(str(error))

    def _count(self) -> None:
        """Call the lock lost where the database answers too late, whatever that connection waits for."""
        while time.monotonic() - self._answered_s < LEASE_S:
            time.sleep(_CHECK_INTERVAL_S / 2)
        self._on_lost(f"the database has not answered for {LEASE_S:.0f} s")
