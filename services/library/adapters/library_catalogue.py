"""The scanned locations and the crates of the catalogue in a database."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func
from sqlmodel import col, delete, insert, select, update

from services.library.adapters.path_queries import CHUNK_ROWS, is_below
from services.library.adapters.tables import CrateEntryRow, CrateRow, LibraryEntryRow, LibraryRow, TrackRow
from services.library.core.dj_facts import SHARED_FIELDS, facts_to_document
from services.library.core.locations import PathMap
from services.library.core.ports import FiledCrate, KnownFile, LibraryFile, LibraryRecord, NamedFile
from stemhouse.platform.databases import database_errors
from stemhouse.tracks import Crate, DJFacts, LibraryKind

_FOLDER_KINDS = (LibraryKind.FOLDER.value, LibraryKind.S3.value)
_NO_FACTS = DJFacts("")
_SEPARATORS = "/\\"


_LibraryPart = LibraryEntryRow | CrateRow | CrateEntryRow


class SqlLibraryCatalogue:
    """LibraryCatalogue over the tables that the migrations have made."""

    def __init__(self, engine: Engine) -> None:
        """Keep the engine; no call is made here."""
        self._engine = engine
        self._revision = 0

    def record(self, prefix: str) -> LibraryRecord | None:
        """See LibraryCatalogue.record."""
        columns = (LibraryRow.kind, LibraryRow.fingerprint, LibraryRow.path_maps)
        query = select(*map(col, columns)).where(col(LibraryRow.prefix) == prefix)
        with self._transaction() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        kind, fingerprint, path_maps = row
        return LibraryRecord(prefix, LibraryKind(kind), fingerprint, tuple(PathMap(*names) for names in path_maps))

    def files(self, prefix: str) -> Sequence[KnownFile]:
        """See LibraryCatalogue.files."""
        columns = (LibraryEntryRow.location, LibraryEntryRow.kind, LibraryEntryRow.folder, LibraryEntryRow.path)
        position = col(LibraryEntryRow.position)
        query = select(*map(col, columns)).where(col(LibraryEntryRow.library) == prefix).order_by(position)
        with self._transaction() as connection:
            return [
                KnownFile(NamedFile(row.location, LibraryKind(row.kind), row.folder), row.path)
                for row in connection.execute(query)
            ]

    def filed_crates(self, prefix: str) -> Sequence[FiledCrate]:
        """See LibraryCatalogue.filed_crates."""
        library, position = col(CrateRow.library), col(CrateRow.position)
        names = select(position, col(CrateRow.name)).where(library == prefix).order_by(position)
        crate, place = col(CrateEntryRow.crate), col(CrateEntryRow.place)
        of_library = col(CrateEntryRow.library) == prefix
        entries = select(crate, col(CrateEntryRow.entry)).where(of_library).order_by(crate, place)
        with self._transaction() as connection:
            positions: dict[int, list[int]] = defaultdict(list)
            for number, entry in connection.execute(entries):
                positions[number].append(entry)
            return [FiledCrate(name, tuple(positions[number])) for number, name in connection.execute(names)]

    def replace(self, record: LibraryRecord, files: Sequence[LibraryFile], crates: Sequence[FiledCrate]) -> None:
        """See LibraryCatalogue.replace."""
        prefix = record.prefix
        named = [{"library": prefix, "position": position, "name": crate.name} for position, crate in enumerate(crates)]
        rows_of: dict[type[_LibraryPart], list[dict[str, Any]]] = {
            LibraryEntryRow: [_entry_row(prefix, position, file) for position, file in enumerate(files)],
            CrateRow: named,
            CrateEntryRow: list(_crate_rows(prefix, crates)),
        }
        with self._change() as connection:
            for table, rows in rows_of.items():
                connection.execute(delete(table).where(col(table.library) == prefix))
                if rows:
                    connection.execute(insert(table), rows)
            connection.execute(delete(LibraryRow).where(col(LibraryRow.prefix) == prefix))
            connection.execute(insert(LibraryRow), [_library_row(record)])

    def repoint(self, prefix: str, paths: Mapping[int, str]) -> None:
        """See LibraryCatalogue.repoint."""
        is_of_library = col(LibraryEntryRow.library) == prefix
        with self._change() as connection:
            for position, path in paths.items():
                is_entry = is_of_library & (col(LibraryEntryRow.position) == position)
                connection.execute(update(LibraryEntryRow).where(is_entry).values(path=path))
            connection.execute(update(LibraryRow).where(col(LibraryRow.prefix) == prefix).values(scanned_at=_now()))

    def unclaimed(self, paths: Sequence[str]) -> Sequence[str]:
        """See LibraryCatalogue.unclaimed."""
        path, folder = col(TrackRow.path), col(LibraryRow.prefix)
        is_named = select(LibraryEntryRow.position).where(col(LibraryEntryRow.path) == path).exists()
        is_inside = func.substr(path, 1, func.length(folder)) == folder
        is_walked = select(LibraryRow.prefix).where(col(LibraryRow.kind).in_(_FOLDER_KINDS), is_inside).exists()
        with self._transaction() as connection:
            return connection.execute(select(path).where(path.in_(paths), ~is_named, ~is_walked)).scalars().all()

    def aliases(self) -> Mapping[str, str]:
        """See LibraryCatalogue.aliases."""
        real_path = col(TrackRow.real_path)
        with self._transaction() as connection:
            rows = connection.execute(select(real_path, col(TrackRow.path)).where(real_path != ""))
            return {real: path for real, path in rows}  # noqa: C416  # rows are no pairs to mypy

    def crates(self, prefix: str) -> Sequence[Crate]:
        """See LibraryCatalogue.crates."""
        library, position, path = col(CrateRow.library), col(CrateRow.position), col(LibraryEntryRow.path)
        query = (
            select(
                col(CrateRow.name),
                library,
                func.count(path).filter(path != ""),
                func.count(path).filter(path == ""),
            )
            .select_from(CrateRow)
            .join(CrateEntryRow, _IS_IN_CRATE, isouter=True)
            .join(LibraryEntryRow, _IS_SAME_ENTRY, isouter=True)
            .where(is_below(library, prefix))
            .group_by(library, position)
            .order_by(library, position)
        )
        with self._transaction() as connection:
            return [Crate(name, _location(place), *counts) for name, place, *counts in connection.execute(query)]

    def crate_places(self, prefix: str) -> Iterator[tuple[str, int, int]]:
        """See LibraryCatalogue.crate_places."""
        library, position = col(CrateRow.library), col(CrateRow.position)
        crates = select(library, position).where(is_below(library, prefix)).order_by(library, position)
        owner, crate, place = col(CrateEntryRow.library), col(CrateEntryRow.crate), col(CrateEntryRow.place)
        query = (
            select(col(LibraryEntryRow.path), owner, crate, place)
            .select_from(CrateEntryRow)
            .join(LibraryEntryRow, _IS_SAME_ENTRY)
            .where(is_below(owner, prefix), col(LibraryEntryRow.path) != "")
            .order_by(owner, crate, place)
        )
        with self._transaction() as connection:
            indices = {(row.library, row.position): index for index, row in enumerate(connection.execute(crates))}
            for path, of_library, of_crate, at in connection.execution_options(yield_per=CHUNK_ROWS).execute(query):
                yield path, indices[of_library, of_crate], at

    def revision(self) -> int:
        """See LibraryCatalogue.revision."""
        return self._revision

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        with self._transaction() as connection:
            yield connection
        self._revision += 1

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.begin() as connection:
            yield connection


_IS_SAME_ENTRY = (col(CrateEntryRow.library) == col(LibraryEntryRow.library)) & (
    col(CrateEntryRow.entry) == col(LibraryEntryRow.position)
)

_IS_IN_CRATE = (col(CrateEntryRow.library) == col(CrateRow.library)) & (
    col(CrateEntryRow.crate) == col(CrateRow.position)
)


def _library_row(record: LibraryRecord) -> dict[str, Any]:
    return {
        "prefix": record.prefix,
        "kind": record.kind.value,
        "fingerprint": record.fingerprint,
        "path_maps": [[path_map.from_prefix, path_map.to_prefix] for path_map in record.path_maps],
        "scanned_at": _now(),
    }


def _entry_row(prefix: str, position: int, file: LibraryFile) -> dict[str, Any]:
    facts = file.facts or _NO_FACTS
    return {
        "library": prefix,
        "position": position,
        "location": file.named.location,
        "kind": file.named.kind.value,
        "folder": file.named.folder,
        "path": file.path,
        **{name: getattr(facts, name) for name in SHARED_FIELDS},
        "facts": facts_to_document(file.facts) if file.facts else None,
    }


def _crate_rows(prefix: str, crates: Sequence[FiledCrate]) -> Iterator[dict[str, Any]]:
    for number, crate in enumerate(crates):
        for place, entry in enumerate(crate.positions):
            yield {"library": prefix, "crate": number, "place": place, "entry": entry}


def _location(prefix: str) -> str:
    """A prefix as the location that somebody named."""
    return prefix.rstrip(_SEPARATORS) or prefix


def _now() -> str:
    return datetime.now(UTC).isoformat()
