"""What was delivered, and how fast engines are, in a database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from services.library.adapters.batch_tables import EngineWorkRow, ExportRow
from services.library.adapters.upserts import insert_into
from services.library.core.batch_ports import Export, ExportKey
from stemhouse.platform.databases import database_errors

_MOST_VARIABLES = 500
"""Of one statement, less than any SQLite allows."""


class SqlExportRecord:
    """ExportRecord over the tables that the migrations have made."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; no call is made here."""
        self._engine = engine

    def find(self, keys: Sequence[ExportKey]) -> Mapping[ExportKey, Export]:
        """See ExportRecord.find."""
        found: dict[ExportKey, Export] = {}
        for start in range(0, len(keys), _MOST_VARIABLES):
            found |= self._find(keys[start : start + _MOST_VARIABLES])
        return found

    def of_files_of_size(self, wish: str, size_bytes: int) -> Sequence[Export]:
        """See ExportRecord.of_files_of_size."""
        is_known = col(ExportRow.source_sha256) != ""
        rows = select(ExportRow).where(ExportRow.wish == wish, ExportRow.size_bytes == size_bytes, is_known)
        with self._session() as session:
            return [_export(row) for row in session.exec(rows)]

    def of_path(self, path: str, wish: str) -> Export | None:
        """See ExportRecord.of_path."""
        with self._session() as session:
            row = session.get(ExportRow, (path, wish))
            return _export(row) if row else None

    def paths_of(self, sha256s: Sequence[str]) -> Mapping[str, str]:
        """See DeliveredSources.paths_of."""
        digest, found = col(ExportRow.source_sha256), dict[str, str]()
        for start in range(0, len(sha256s), _MOST_VARIABLES):
            chunk = [sha256 for sha256 in sha256s[start : start + _MOST_VARIABLES] if sha256]
            with self._session() as session:
                rows = session.exec(select(digest, ExportRow.path).where(digest.in_(chunk)))
                found |= {sha256: path for sha256, path in rows}  # noqa: C416  # rows are no pairs to mypy
        return found

    def output_bytes_per_s(self, size_class: str) -> float | None:
        """See ExportRecord.output_bytes_per_s."""
        sums = select(func.sum(ExportRow.total_bytes), func.sum(ExportRow.audio_s))
        with self._session() as session:
            total_bytes, audio_s = session.exec(sums.where(ExportRow.size_class == size_class)).one()
        return float(total_bytes) / audio_s if audio_s else None  # PostgreSQL sums bytes to a Decimal

    def record_work(self, engine_id: str, audio_s: float, wall_s: float, stored_bytes: int) -> None:
        """See ExportRecord.record_work."""
        statement = insert_into(EngineWorkRow, self._engine.dialect).values(
            engine_id=engine_id,
            audio_s=audio_s,
            wall_s=wall_s,
            stored_audio_s=audio_s if stored_bytes else 0.0,
            stored_bytes=stored_bytes,
        )
        figures = [column for column in statement.excluded if column.name != "engine_id"]
        added = {column.name: getattr(EngineWorkRow, column.name) + column for column in figures}
        with self._session() as session:
            session.execute(statement.on_conflict_do_update(index_elements=["engine_id"], set_=added))

    def stored_bytes_per_s(self, engine_id: str) -> float | None:
        """See ExportRecord.stored_bytes_per_s."""
        with self._session() as session:
            row = session.get(EngineWorkRow, engine_id)
            return row.stored_bytes / row.stored_audio_s if row and row.stored_audio_s > 0.0 else None

    def audio_s_per_wall_s(self, engine_id: str) -> float | None:
        """See ExportRecord.audio_s_per_wall_s."""
        with self._session() as session:
            row = session.get(EngineWorkRow, engine_id)
            return row.audio_s / row.wall_s if row and row.wall_s > 0.0 else None

    def _find(self, keys: Sequence[ExportKey]) -> Mapping[ExportKey, Export]:
        rows_of_paths = select(ExportRow).where(col(ExportRow.path).in_({key.path for key in keys}))
        with self._session() as session:
            rows = {(row.path, row.wish): row for row in session.exec(rows_of_paths)}
            found = {key: rows.get((key.path, key.wish)) for key in keys}
            return {key: _export(row) for key, row in found.items() if row and _is_of(row, key)}

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors(self._engine), Session(self._engine) as session, session.begin():
            yield session


def remember_export(session: Session, key: ExportKey, export: Export) -> None:
    """Write it within the session's transaction, in the place of older ones of the same path and wish.

    Also of others whose files these have replaced.
    """
    _forget_replaced(session, key, export)
    statement = insert_into(ExportRow, session.connection().dialect).values(
        path=key.path,
        wish=key.wish,
        size_bytes=key.stamp.size_bytes,
        modified_ns=key.stamp.modified_ns,
        folder=export.folder,
        file_sizes_bytes=export.file_sizes_bytes,
        audio_s=export.audio_s,
        size_class=key.size_class,
        total_bytes=sum(export.file_sizes_bytes.values()),
        source_sha256=export.source_sha256,
        audio_sha256=export.audio_sha256,
        damage=export.damage,
    )
    replaced = {column.name: column for column in statement.excluded if column.name not in {"path", "wish"}}
    session.execute(statement.on_conflict_do_update(index_elements=["path", "wish"], set_=replaced))


def _forget_replaced(session: Session, key: ExportKey, export: Export) -> None:
    others = select(ExportRow).where(ExportRow.folder == export.folder, ExportRow.wish != key.wish)
    for row in session.exec(others).all():
        if row.file_sizes_bytes.keys() & export.file_sizes_bytes.keys():
            session.delete(row)


def _is_of(row: ExportRow, key: ExportKey) -> bool:
    return (row.size_bytes, row.modified_ns) == (key.stamp.size_bytes, key.stamp.modified_ns)


def _export(row: ExportRow) -> Export:
    return Export(row.folder, row.file_sizes_bytes, row.audio_s, row.source_sha256, row.audio_sha256, row.damage)
