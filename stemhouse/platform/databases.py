"""Databases of services: opened, migrated and failing in one way. SQLite in WAL mode, or PostgreSQL by URL.

Only services that have a database import this; the SDK does not need SQLAlchemy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, exc
from sqlalchemy.engine import URL, make_url

from stemhouse.errors import Unavailable

_BUSY_TIMEOUT_MS = 30_000
_POSTGRES_TIMEOUTS = {"connect_timeout": 10, "options": "-c statement_timeout=60s"}
"""A server that is gone, or a lock that nobody gives up, shall be an error and not a service that hangs."""


def open_database(url: str) -> Engine:
    """An engine for the URL; makes the folder of an SQLite file, and no tables.

    On PostgreSQL a connection is given up after 10 s and a statement after 60 s, unless the URL has `connect_timeout`
    or `options` of its own.
    """
    address = make_url(url)
    engine = create_engine(address, pool_pre_ping=True, connect_args=_arguments(address))
    if address.get_backend_name() == "sqlite":
        Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _arguments(address: URL) -> dict[str, Any]:
    if address.get_backend_name() != "postgresql":
        return {}
    return {name: value for name, value in _POSTGRES_TIMEOUTS.items() if name not in address.query}


def migrate(database: Engine, scripts: Path, version_table: str, revision: str = "head") -> None:
    """Bring a service's tables to a revision; other tables are left alone.

    `head` is the newest, `base` none, `-1` the one before.

    `scripts` is a folder with alembic's `env.py` and `versions`.
    """
    config = Config(attributes={"database": database, "version_table": version_table})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    if revision == "base" or revision.startswith("-"):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


@contextmanager
def database_errors(database: Engine) -> Iterator[None]:
    """Turn a database that does not answer, or not as it should, into Unavailable that names it.

    An IntegrityError passes: it is about the data, and whoever writes knows what it means.
    """
    try:
        yield
    except exc.IntegrityError:
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise Unavailable(f"database {database.url.render_as_string()}: {error.__cause__ or error}") from error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The first statement that writes takes the write lock, and waits for it; see DBOS, which does the same.
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
