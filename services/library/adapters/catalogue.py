"""The catalogue in an SQLite file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, true
from sqlalchemy.dialects.sqlite import insert
from sqlmodel import col, delete, func, select

from services.library.adapters.tables import TrackRow
from services.library.core.ports import CatalogueEntry, FileStamp
from stemhouse.platform.databases import database_errors
from stemhouse.tracks import Track

_path = col(TrackRow.path)
_TRACK_COLUMNS = tuple(TrackRow.metadata.tables["tracks"].c[field.name] for field in fields(Track))


class SqliteTrackCatalogue:
    """TrackCatalogue over the tables that the migrations have made."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; no call is made here."""
        self._engine = engine

    def probe(self) -> None:
        """Ask the database something, as readiness means; raises Unavailable."""
        with self._transaction() as connection:
            connection.execute(select(_path).limit(1))

    def stamps(self, prefix: str) -> Mapping[str, FileStamp]:
        """See TrackCatalogue.stamps."""
        query = select(_path, col(TrackRow.size_bytes), col(TrackRow.modified_ns)).where(_below(prefix))
        with self._transaction() as connection:
            rows = connection.execute(query)
            return {path: FileStamp(size_bytes, modified_ns) for path, size_bytes, modified_ns in rows}

    def upsert(self, entries: Sequence[CatalogueEntry]) -> None:
        """See TrackCatalogue.upsert."""
        if not entries:
            return
        statement = insert(TrackRow)
        replaced = {column.name: column for column in statement.excluded if column.name != "path"}
        statement = statement.on_conflict_do_update(index_elements=[_path], set_=replaced)
        with self._transaction() as connection:
            connection.execute(statement, [_row(entry) for entry in entries])

    def remove(self, paths: Sequence[str]) -> None:
        """See TrackCatalogue.remove."""
        with self._transaction() as connection:
            connection.execute(delete(TrackRow).where(_path.in_(paths)))

    def page(self, prefix: str, after: str, limit: int) -> Sequence[Track]:
        """See TrackCatalogue.page."""
        query = select(*_TRACK_COLUMNS).where(_below(prefix), _path > after).order_by(_path).limit(limit)
        with self._transaction() as connection:
            return [Track(*row) for row in connection.execute(query)]

    def count(self, prefix: str) -> int:
        """See TrackCatalogue.count."""
        with self._transaction() as connection:
            return connection.execute(select(func.count()).select_from(TrackRow).where(_below(prefix))).scalar_one()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.begin() as connection:
            yield connection


def _below(prefix: str) -> ColumnElement[bool]:
    """Whether a path starts with the prefix, as a range of the primary key's index."""
    if not prefix:
        return true()
    return and_(_path >= prefix, _path < prefix[:-1] + chr(ord(prefix[-1]) + 1))


def _row(entry: CatalogueEntry) -> dict[str, Any]:
    return {**asdict(entry.track), "modified_ns": entry.stamp.modified_ns, "size_bytes": entry.stamp.size_bytes}
