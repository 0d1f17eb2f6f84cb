"""The ledger's migrations give just the tables that the code expects, and can be undone."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from services.router.adapters.tables import LedgerTable
from services.router.migrations import VERSION_TABLE, migrate
from stemhouse.platform.databases import open_database


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    """An empty SQLite file."""
    return open_database(f"sqlite:///{tmp_path}/ledger.db")


def test_migrated_schema_is_that_of_the_models(database: Engine) -> None:
    """Alembic finds nothing to change in the ledger's tables."""
    migrate(database)
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        difference = compare_metadata(context, LedgerTable.metadata)
    database.dispose()
    assert difference == []


def test_migrating_twice_changes_nothing_and_down_removes_the_tables(database: Engine) -> None:
    """Every start of a router migrates."""
    migrate(database)
    migrate(database)
    assert set(inspect(database).get_table_names()) == set(LedgerTable.metadata.tables) | {VERSION_TABLE}
    migrate(database, "base")
    assert set(inspect(database).get_table_names()) == {VERSION_TABLE}
    database.dispose()


def test_sources_of_the_first_schema_are_of_the_first_ingest(database: Engine) -> None:
    """What an older router has rejected is told apart."""
    migrate(database, "0001")
    with database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO ledger_source (sha256, md5) VALUES ('a', 'b')")
    migrate(database)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT ingest_version FROM ledger_source").scalar() == 1
    database.dispose()


def test_jobs_of_an_older_schema_have_no_batch_and_no_time_of_change(database: Engine) -> None:
    """Both are kept from their next change on, or from the next job."""
    migrate(database, "0002")
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ledger_job"
            " (job_id, request_id, request, state, progress, sequence, is_cancel_requested, created_at)"
            " VALUES ('j', 'r', '{}', 'done', 1, 1, 0, '2026-01-02 03:04:05.000000')"
        )
    migrate(database)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT batch_id, updated_us FROM ledger_job").one() == ("", 0)
    migrate(database, "base")
    database.dispose()


def test_sqlite_ledger_is_in_wal_mode(database: Engine) -> None:
    """Readers do not wait for the writer."""
    with database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.dispose()
