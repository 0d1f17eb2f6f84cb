"""The tracks of the catalogue in a database."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import starmap
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, case, func, literal
from sqlmodel import col, delete, select, update

from services.library.adapters.path_queries import CHUNK_ROWS, chunks, is_below, is_track_of
from services.library.adapters.tables import CrateEntryRow, CrateRow, LibraryEntryRow, TrackRow
from services.library.adapters.upserts import insert_into
from services.library.core.dj_facts import SHARED_FIELDS, facts_from_document, facts_to_document, merged_facts
from services.library.core.ports import Candidate, CatalogueEntry, FileStamp, VocalShare
from stemhouse.platform.databases import database_errors
from stemhouse.tracks import Track

_path = col(TrackRow.path)


class SqlTrackCatalogue:
    """TrackCatalogue over the tables that the migrations have made."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; no call is made here."""
        self._engine = engine
        self._revision = 0

    def probe(self) -> None:
        """Ask the database something, as readiness means; raises Unavailable."""
        with self._transaction() as connection:
            connection.execute(select(_path).limit(1))

    def stamps(self, prefix: str) -> Mapping[str, FileStamp]:
        """See TrackCatalogue.stamps."""
        return self._stamps(is_below(_path, prefix))

    def stamps_of(self, paths: Sequence[str]) -> Mapping[str, FileStamp]:
        """See TrackCatalogue.stamps_of."""
        return self._stamps(_path.in_(paths))

    def upsert(self, entries: Sequence[CatalogueEntry]) -> None:
        """See TrackCatalogue.upsert."""
        if not entries:
            return
        statement = insert_into(TrackRow, self._engine.dialect)
        replaced = {column.name: column for column in statement.excluded if column.name != "path"}
        statement = statement.on_conflict_do_update(index_elements=[_path], set_=replaced)
        with self._change() as connection:
            connection.execute(statement, [_row(entry) for entry in entries])

    def remove(self, paths: Sequence[str]) -> None:
        """See TrackCatalogue.remove."""
        with self._change() as connection:
            connection.execute(delete(TrackRow).where(_path.in_(paths)))
            named = col(LibraryEntryRow.path).in_(paths)
            connection.execute(update(LibraryEntryRow).where(named).values(path=""))

    def page(self, prefix: str, after: str, limit: int) -> Sequence[Track]:
        """See TrackCatalogue.page."""
        query = select(*_TRACK).where(is_track_of(prefix), _path > after).order_by(_path).limit(limit)
        with self._transaction() as connection:
            return _tracks(connection, connection.execute(query).all())

    def tracks(self, paths: Sequence[str]) -> Mapping[str, Track]:
        """See TrackCatalogue.tracks."""
        with self._transaction() as connection:
            rows = [
                row for chunk in chunks(paths) for row in connection.execute(select(*_TRACK).where(_path.in_(chunk)))
            ]
            return {track.path: track for track in _tracks(connection, rows)}

    def count(self, prefix: str) -> int:
        """See TrackCatalogue.count."""
        query = select(func.count()).select_from(TrackRow).where(is_track_of(prefix))
        with self._transaction() as connection:
            return connection.execute(query).scalar_one()

    def candidates(self, prefix: str) -> Iterator[Candidate]:
        """See TrackCatalogue.candidates."""
        with self._transaction() as connection:
            rows = connection.execution_options(yield_per=CHUNK_ROWS).execute(
                select(*_CANDIDATE).where(is_track_of(prefix))
            )
            yield from starmap(Candidate, rows)

    def unread(self) -> Sequence[str]:
        """See TrackCatalogue.unread."""
        told = (col(getattr(TrackRow, name)) == _nothing(name) for name in SHARED_FIELDS)
        with self._transaction() as connection:
            return connection.execute(select(_path).where(*told)).scalars().all()

    def record_vocals(self, path: str, stamp: FileStamp, vocals: VocalShare) -> None:
        """See TrackCatalogue.record_vocals."""
        values = {"vocal_share": vocals.share, "is_probed": vocals.is_probed}
        with self._change() as connection:
            connection.execute(update(TrackRow).where(_is_file(path, stamp)).values(**values))

    def vocals(self, path: str, stamp: FileStamp) -> VocalShare | None:
        """See TrackCatalogue.vocals."""
        query = select(col(TrackRow.vocal_share), col(TrackRow.is_probed)).where(_is_file(path, stamp))
        with self._transaction() as connection:
            share, is_probed = connection.execute(query).one_or_none() or (None, False)
            return None if share is None else VocalShare(share, is_probed=is_probed)

    def revision(self) -> int:
        """See TrackCatalogue.revision."""
        return self._revision

    def _stamps(self, condition: ColumnElement[bool]) -> Mapping[str, FileStamp]:
        query = select(_path, col(TrackRow.size_bytes), col(TrackRow.modified_ns)).where(condition)
        with self._transaction() as connection:
            rows = connection.execution_options(yield_per=CHUNK_ROWS).execute(query)
            return {path: FileStamp(size_bytes, modified_ns) for path, size_bytes, modified_ns in rows}

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        with self._transaction() as connection:
            yield connection
        self._revision += 1

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.begin() as connection:
            yield connection


def _is_file(path: str, stamp: FileStamp) -> ColumnElement[bool]:
    is_same = (col(TrackRow.size_bytes) == stamp.size_bytes) & (col(TrackRow.modified_ns) == stamp.modified_ns)
    return is_same & (_path == path)


def _nothing(name: str) -> float | str:
    """What stands for a value that the file does not tell."""
    return 0.0 if name in {"bpm", "duration_s"} else ""


def _told(name: str) -> ColumnElement[Any]:
    """A value as the file tells it, or else the first library that names the file and has one."""
    own, named = getattr(TrackRow, name), getattr(LibraryEntryRow, name)
    empty = literal(_nothing(name))
    library_value = (
        select(named)
        .where(col(LibraryEntryRow.path) == _path, named != empty)
        .order_by(col(LibraryEntryRow.library), col(LibraryEntryRow.position))
        .limit(1)
        .scalar_subquery()
    )
    return case((own != empty, own), else_=func.coalesce(library_value, empty)).label(name)


_TRACK = (_path, col(TrackRow.size_bytes), *map(_told, SHARED_FIELDS), col(TrackRow.dj_facts))
_CANDIDATE = (
    _path,
    col(TrackRow.size_bytes),
    col(TrackRow.modified_ns),
    *map(_told, ("duration_s", "title", "genre", "bpm")),
    col(TrackRow.vocal_share),
    col(TrackRow.is_probed),
)


def _tracks(connection: Connection, rows: Sequence[Row[Any]]) -> list[Track]:
    paths = [row.path for row in rows]
    crates, facts = _crates_of(connection, paths), _facts_of(connection, paths)
    return [
        Track(
            path=row.path,
            size_bytes=row.size_bytes,
            crates=tuple(crates.get(row.path, ())),
            dj_facts=merged_facts(map(facts_from_document, (*row.dj_facts, *facts.get(row.path, ())))),
            **{name: getattr(row, name) for name in SHARED_FIELDS},
        )
        for row in rows
    ]


def _crates_of(connection: Connection, paths: Sequence[str]) -> Mapping[str, Mapping[str, None]]:
    """The names of the crates that hold each path, without repetitions."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    library, position = col(CrateRow.library), col(CrateRow.position)
    for chunk in chunks(paths):
        query = (
            select(col(LibraryEntryRow.path), col(CrateRow.name))
            .select_from(LibraryEntryRow)
            .join(CrateEntryRow, _is_same_entry())
            .join(CrateRow, (library == col(CrateEntryRow.library)) & (position == col(CrateEntryRow.crate)))
            .where(col(LibraryEntryRow.path).in_(chunk))
            .order_by(library, position)
        )
        for path, name in connection.execute(query):
            found[path][name] = None
    return found


def _is_same_entry() -> ColumnElement[bool]:
    is_same_library = col(CrateEntryRow.library) == col(LibraryEntryRow.library)
    return is_same_library & (col(CrateEntryRow.entry) == col(LibraryEntryRow.position))


def _facts_of(connection: Connection, paths: Sequence[str]) -> Mapping[str, list[dict[str, Any]]]:
    """The documents of what libraries know of each path."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    facts = col(LibraryEntryRow.facts)
    for chunk in chunks(paths):
        query = (
            select(col(LibraryEntryRow.path), facts)
            .where(col(LibraryEntryRow.path).in_(chunk), facts.is_not(None))
            .order_by(col(LibraryEntryRow.library), col(LibraryEntryRow.position))
        )
        for path, document in connection.execute(query):
            found[path].append(document)
    return found


def _row(entry: CatalogueEntry) -> dict[str, Any]:
    values = asdict(replace(entry.track, dj_facts=()))
    del values["crates"]
    return {
        **values,
        "dj_facts": list(map(facts_to_document, entry.track.dj_facts)),
        "modified_ns": entry.stamp.modified_ns,
        "size_bytes": entry.stamp.size_bytes,
        "vocal_share": None,
        "is_probed": False,
        "real_path": entry.real_path,
    }
