"""Serato's library: a folder of crates up to version 3, a database from version 4 on. Nothing is ever written there."""

import os
import sqlite3
import unicodedata
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from services.library.adapters.read_only_sqlite import opened_read_only
from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from services.library.core.serato_crates import (
    crate_locations,
    crate_order,
    crate_path_from_file_name,
    parse_crate,
)
from services.library.core.serato_database import COLUMNS, REQUIRED_TABLES, Row, library_from_tables
from stemhouse.errors import LibraryRejected

_CRATES_FOLDER, _ORDER_FILE = "Subcrates", "neworder.pref"
_CRATE_EXTENSION = ".crate"
_DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""SQLite's message on a damaged schema may quote bytes that are no text."""
_LARGEST_BYTES = 1 << 25
"""Of a crate; it would name more than a hundred thousand files."""


def read_serato_crates(folder: Path) -> DJLibrary:
    """The crates of a `_Serato_` folder in the order that Serato shows, those it does not place by name.

    Locations are relative to the root of the volume that the folder is on. A crate that cannot be read is a warning.
    Raises LibraryRejected if the folder has no crates' folder, or it cannot be listed.
    """
    crates_folder = folder / _CRATES_FOLDER
    try:
        files = [file for file in crates_folder.iterdir() if _is_crate(file)]
        order = (folder / _ORDER_FILE).read_bytes() if (folder / _ORDER_FILE).is_file() else b""
    except OSError as error:
        raise LibraryRejected(f"{crates_folder}: cannot be read: {error.strerror}") from error
    read = [_read_crate(file) for file in files]
    crates = _ordered([crate for crate, _ in read if crate], crate_order(order))
    locations = dict.fromkeys(location for crate in crates for location in crate.locations)
    warnings = sorted(warning for _, crate_warnings in read for warning in crate_warnings)
    return DJLibrary(tuple(LibraryEntry(location) for location in locations), crates, tuple(warnings))


def read_serato_database(file: Path) -> DJLibrary:
    """The files and crates of `root.sqlite`, `location.sqlite` or `master.sqlite`.

    Locations are relative to the root of the file's volume. Rows that cannot be read are a warning. Raises
    LibraryRejected if it is no database of Serato, or if nothing of it can be read.
    """
    warnings: list[str] = []
    try:
        with opened_read_only(file) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            missing = [name for name in REQUIRED_TABLES if name not in names]
            if missing:
                raise LibraryRejected(f"{file}: no library of Serato: it has no table {missing[0]}")
            row_limit = _size_bytes(connection)
            tables = {
                table: _rows(connection, table, columns, row_limit, warnings) if table in names else []
                for table, columns in COLUMNS.items()
            }
    except OSError as error:
        raise LibraryRejected(f"{file}: cannot be read: {error.strerror}") from error
    except _DAMAGE as error:
        raise LibraryRejected(f"{file}: no database that can be read: {error}") from error
    library = library_from_tables(tables)
    if warnings and not (library.entries or library.crates):
        raise LibraryRejected(f"{file}: {warnings[0]}")
    return DJLibrary(library.entries, library.crates, (*warnings, *library.warnings))


def _is_crate(file: Path) -> bool:
    """Whether it is a crate, and none of the `._` companions that macOS leaves on foreign drives."""
    return file.suffix.lower() == _CRATE_EXTENSION and not file.name.startswith("._") and file.is_file()


def _read_crate(file: Path) -> tuple[CrateListing | None, tuple[str, ...]]:
    """The crate, and what is wrong with it."""
    name = os.fsencode(file.name).decode(errors="replace")
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            return None, (f"{name}: too large for a crate",)
        locations, warnings = crate_locations(parse_crate(file.read_bytes()))
    except OSError as error:
        return None, (f"{name}: cannot be read: {error.strerror}",)
    except LibraryRejected as error:
        return None, (f"{name}: {error.message}",)
    path = crate_path_from_file_name(name)
    return CrateListing(path, locations), tuple(f"{name}: {warning}" for warning in warnings)


def _ordered(crates: Sequence[CrateListing], order: Sequence[tuple[str, ...]]) -> tuple[CrateListing, ...]:
    places = {_comparable(path): place for place, path in reversed(list(enumerate(order)))}
    by_name = sorted(crates, key=lambda crate: _comparable(crate.path))
    return tuple(sorted(by_name, key=lambda crate: places.get(_comparable(crate.path), len(order))))


def _comparable(path: tuple[str, ...]) -> tuple[str, ...]:
    """Names as file systems compare them: macOS writes accents apart from their letters."""
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in path)


def _size_bytes(connection: sqlite3.Connection) -> int:
    return int(
        connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    )


def _rows(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], row_limit: int, warnings: list[str]
) -> list[Row]:
    """The rows up to the first damage; a file has no more rows than bytes, whatever a damaged one pretends."""
    rows: list[Row] = []
    try:
        there = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        selected = ", ".join(f'"{name}"' if name in there else "NULL" for name in columns)
        for row in islice(connection.execute(f"SELECT {selected} FROM {table}"), row_limit):  # noqa: S608  # our names
            rows.append(row)  # noqa: PERF402  # keeps those before the damage
    except _DAMAGE as error:
        warnings.append(f"the table {table} is damaged, some of its rows are lost: {error}")
    return rows
