"""Databases as services open them: nothing waits without an end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from stemhouse.errors import Unavailable
from stemhouse.platform.databases import database_errors, open_database
from tests.postgres import postgres_server

NOWHERE = "postgresql+psycopg://stemhouse@127.0.0.1:1/ledger"


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server for all tests of this module."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def driver_arguments(engine: Engine) -> dict[str, Any]:
    """What the engine gives to its driver to connect with."""
    seen: dict[str, Any] = {}
    event.listen(engine, "do_connect", lambda _dialect, _record, _positional, named: seen.update(named))
    with pytest.raises(OperationalError):
        engine.connect()
    return seen


def test_postgres_has_timeouts() -> None:
    """Also where its URL says nothing."""
    arguments = driver_arguments(open_database(NOWHERE))
    assert (arguments["connect_timeout"], arguments["options"]) == (10, "-c statement_timeout=60s")


def test_timeouts_of_the_url_count() -> None:
    """Each by itself."""
    arguments = driver_arguments(open_database(f"{NOWHERE}?connect_timeout=2"))
    assert (arguments["connect_timeout"], arguments["options"]) == ("2", "-c statement_timeout=60s")


def test_sqlite_is_given_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    """Its driver would refuse it."""
    engine = open_database(f"sqlite:///{tmp_path}/new/x.db")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()


def test_statement_that_takes_too_long_is_unavailable(postgres_url: str) -> None:
    """The server itself keeps the time."""
    engine = open_database(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "1min"
    engine.dispose()
    hasty = open_database(f"{postgres_url}?options=-c%20statement_timeout%3D50ms")
    with pytest.raises(Unavailable, match="statement timeout"), database_errors(hasty), hasty.connect() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    hasty.dispose()
