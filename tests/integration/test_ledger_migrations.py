"""The ledger's migrations give just the tables that the code expects, and can be undone."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect
from sqlmodel import SQLModel

from services.router.adapters import tables
from services.router.migrations import VERSION_TABLE, migrate
from stemhouse.platform.databases import open_database

LEDGER_TABLES = {tables.JobRow.__tablename__, tables.SourceRow.__tablename__, tables.ResultRow.__tablename__}


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    """An empty SQLite file."""
    return open_database(f"sqlite:///{tmp_path}/ledger.db")


def test_migrated_schema_is_that_of_the_models(database: Engine) -> None:
    """Alembic finds nothing to change in the ledger's tables."""
    migrate(database)
    with database.connect() as connection:
        options = {"include_name": lambda name, kind, _parents: kind != "table" or name in LEDGER_TABLES}
        context = MigrationContext.configure(connection, opts=options)
        others = [table for table in SQLModel.metadata.tables.values() if table.name not in LEDGER_TABLES]
        difference = [
            change
            for change in compare_metadata(context, SQLModel.metadata)
            if not (change[0] == "add_table" and change[1] in others)
        ]
    database.dispose()
    assert difference == []


def test_migrating_twice_changes_nothing_and_down_removes_the_tables(database: Engine) -> None:
    """Every start of a router migrates."""
    migrate(database)
    migrate(database)
    assert set(inspect(database).get_table_names()) == LEDGER_TABLES | {VERSION_TABLE}
    migrate(database, "base")
    assert set(inspect(database).get_table_names()) == {VERSION_TABLE}
    database.dispose()


def test_sqlite_ledger_is_in_wal_mode(database: Engine) -> None:
    """Readers do not wait for the writer."""
    with database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.dispose()
