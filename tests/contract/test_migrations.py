"""Migrations of every service that has tables, up and down on every database, with rows in all tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from services.library import migrations as library
from services.library.adapters.batch_tables import BatchRow
from services.router import migrations as router
from services.router.adapters.tables import LedgerTable
from tests.contract.conftest import database_url
from tests.contract.ledgers import migrated

_OF_TYPE: dict[type, Any] = {
    sa.JSON: [],
    sa.Boolean: True,
    sa.BigInteger: 2**40,
    sa.Integer: 7,
    sa.Float: 1.5,
    sa.Date: date(2026, 1, 2),
    sa.DateTime: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    sa.String: "ä",
}


@dataclass(frozen=True)
class Schema:
    """The tables of a service in a database."""

    engine: sa.Engine
    migrate: Callable[..., None]
    version_table: str
    models: sa.MetaData

    def tables(self) -> dict[str, sa.Table]:
        """As the database has them."""
        found = sa.MetaData()
        names = set(sa.inspect(self.engine).get_table_names()) & set(self.models.tables)
        found.reflect(self.engine, only=sorted(names))
        return dict(found.tables)

    def fill(self) -> None:
        """A row in each table."""
        with self.engine.begin() as connection:
            for table in self.tables().values():
                connection.execute(sa.insert(table).values(**{it.name: _value(it) for it in table.columns}))

    def rows(self) -> dict[str, dict[str, Any]]:
        """The only row of each table."""
        with self.engine.connect() as connection:
            return {
                name: dict(connection.execute(sa.select(table)).one()._mapping) for name, table in self.tables().items()
            }

    def revision(self) -> str | None:
        """That of the tables now."""
        with self.engine.connect() as connection:
            return MigrationContext.configure(
                connection, opts={"version_table": self.version_table}
            ).get_current_revision()


def _value(column: sa.Column[Any]) -> Any:
    return next(value for kind, value in _OF_TYPE.items() if isinstance(column.type, kind))


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of the database."""
    found: str = request.param
    return found


@pytest.fixture(params=["router", "library"])
def schema(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[Schema]:
    """Each service's tables, at the newest revision."""
    service = {"router": (router, LedgerTable.metadata), "library": (library, BatchRow.metadata)}
    migrations, models = service[request.param]
    with migrated(database_url(request, kind, tmp_path), migrations.migrate) as engine:
        yield Schema(engine, migrations.migrate, migrations.VERSION_TABLE, models)
        migrations.migrate(engine, "base")


def test_schema_is_that_of_the_models(schema: Schema) -> None:
    """Alembic finds nothing to change."""

    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in schema.models.tables

    with schema.engine.connect() as connection:
        options = {"version_table": schema.version_table, "include_name": is_ours}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), schema.models) == []


def test_rows_survive_every_step_down_and_up_again(schema: Schema) -> None:
    """What an older revision can hold is as it was; each step can be gone with rows in all tables."""
    newest = schema.revision()
    schema.fill()
    before = schema.rows()
    while schema.revision() != "0001":
        schema.migrate(schema.engine, "-1")
    oldest = schema.rows()
    assert oldest
    for name, row in oldest.items():
        assert row.items() <= before[name].items()
    schema.migrate(schema.engine)
    assert schema.revision() == newest
    with schema.engine.connect() as connection:
        for name, row in oldest.items():
            found = connection.execute(sa.select(schema.tables()[name])).one()._mapping
            assert row.items() <= dict(found).items()


def test_way_back_leaves_no_table_and_can_be_gone_twice(schema: Schema) -> None:
    """With rows in all of them."""
    schema.fill()
    schema.migrate(schema.engine, "base")
    schema.migrate(schema.engine, "base")
    assert schema.tables() == {}
    schema.migrate(schema.engine)
    schema.migrate(schema.engine)
    assert set(schema.tables()) == set(schema.models.tables)
