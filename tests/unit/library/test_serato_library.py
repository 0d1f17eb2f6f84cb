"""Libraries of Serato 3 and 4 on disk: crates, order, nesting; nothing changes beside them, damage is said."""

import hashlib
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.library.adapters.serato_library import read_serato_crates, read_serato_database
from services.library.core.dj_library import CrateListing, DJLibrary, LibraryEntry
from stemhouse.errors import LibraryRejected
from stemhouse.tracks import DJFacts
from tests.unit.library.serato_files import crate

COMMON = """
CREATE TABLE space (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE container (id INTEGER PRIMARY KEY, parent_id INTEGER, name TEXT NOT NULL, type INTEGER,
    list_order INTEGER NOT NULL, space_id INTEGER, portable_id TEXT);
CREATE TABLE space_asset (id INTEGER PRIMARY KEY, asset_id INTEGER NOT NULL, space_id INTEGER NOT NULL);
INSERT INTO space VALUES (1, 'iTunes'), (2, 'Serato Library');
INSERT INTO container VALUES (0, NULL, 'root', 0, 0, NULL, ''), (3, 0, 'Serato Library root', 0, 0, 2, ''),
    (4, 0, 'iTunes root', 0, 1, 1, ''), (10, 3, 'Techno', 1, 1, 2, ''), (11, 3, 'House', 1, 0, 2, ''),
    (12, 11, 'Deep / Slow', 1, 0, 2, ''), (13, 11, 'Acid', 1, 1, 2, ''), (14, 4, 'Top 25', 1, 0, 1, ''),
    (15, 3, 'Smart', 2, 2, 2, '');
INSERT INTO space_asset VALUES (71, 1, 2), (72, 2, 2), (73, 3, 2);
"""
ROOT = (
    COMMON
    + """
CREATE TABLE asset (id INTEGER PRIMARY KEY, revision INTEGER, portable_id TEXT, name TEXT, artist TEXT, album TEXT,
    genre TEXT, key TEXT, bpm REAL, length_ms INTEGER, is_beatgrid_locked INTEGER);
CREATE TABLE container_asset (id INTEGER PRIMARY KEY, revision INTEGER, container_id INTEGER, space_asset_id INTEGER,
    list_order INTEGER);
INSERT INTO asset VALUES (1, 9, 'Users/me/Music/Jóga.mp3', 'Jóga', 'Björk', 'Homogenic', 'Pop', '8A', 128.5, 305000, 1),
    (2, 9, 'Users/me/b.wav', '', '', '', '', '', NULL, NULL, 0), (3, 9, 'c.aiff', 'C', '', '', '', '', 0.0, 0, 0);
INSERT INTO container_asset VALUES (1, 9, 11, 72, 1), (2, 9, 11, 71, 0), (3, 9, 12, 73, 0), (4, 9, 10, 71, 5),
    (5, 9, 14, 73, 0);
"""
)
MASTER = (
    COMMON
    + """
CREATE TABLE location_container (id INTEGER PRIMARY KEY, container_id INTEGER, location_id INTEGER);
CREATE TABLE asset (id INTEGER PRIMARY KEY, external_id INTEGER, location_id INTEGER, portable_id TEXT, name TEXT,
    artist TEXT, album TEXT, genre TEXT, key TEXT, bpm REAL, length_ms INTEGER, is_beatgrid_locked INTEGER);
CREATE TABLE container_asset (id INTEGER PRIMARY KEY, asset_id INTEGER, location_container_id INTEGER,
    space_asset_id INTEGER, list_order INTEGER);
INSERT INTO location_container VALUES (91, 11, 1), (92, 11, 2), (93, 12, 1), (94, 10, 1);
INSERT INTO asset VALUES
    (1, 5, 1, 'Users/me/Music/Jóga.mp3', 'Jóga', 'Björk', 'Homogenic', 'Pop', '8A', 128.5, 305000, 1),
    (2, 6, 1, 'Users/me/b.wav', '', '', '', '', '', NULL, NULL, 0), (3, 7, 1, 'c.aiff', 'C', '', '', '', '', 0, 0, 0);
INSERT INTO container_asset VALUES (1, 2, 91, 72, 1), (2, 1, 91, 71, 0), (3, 3, 93, 73, 0), (4, 1, 94, 71, 5),
    (5, 1, 92, 71, 9);
"""
)
LIBRARY = DJLibrary(
    entries=(
        LibraryEntry(
            "Users/me/Music/Jóga.mp3",
            DJFacts("serato", "Björk", "Jóga", "Homogenic", "Pop", "8A", 128.5, 305.0, is_grid_locked=True),
        ),
        LibraryEntry("Users/me/b.wav"),
        LibraryEntry("c.aiff", DJFacts("serato", title="C")),
    ),
    crates=(
        CrateListing(("House",), ("Users/me/Music/Jóga.mp3", "Users/me/b.wav")),
        CrateListing(("House", "Deep / Slow"), ("c.aiff",)),
        CrateListing(("House", "Acid"), ()),
        CrateListing(("Techno",), ("Users/me/Music/Jóga.mp3",)),
    ),
)


def write_crates(folder: Path, crates: dict[str, bytes], order: str = "") -> Path:
    """A `_Serato_` folder."""
    (folder / "Subcrates").mkdir(parents=True)
    for name, data in crates.items():
        (folder / "Subcrates" / name).write_bytes(data)
    if order:
        (folder / "neworder.pref").write_bytes(f"[begin record]\n{order}\n[end record]\n".encode("utf-16-be"))
    return folder


def write_database(file: Path, script: str = ROOT) -> Path:
    """A database of Serato 4, with no log beside it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)
    return file


def digests(folder: Path) -> dict[str, str]:
    """Everything in a folder."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_crates_are_nested_and_in_the_order_of_serato(tmp_path: Path) -> None:
    """First those that `neworder.pref` places, whatever the writing of an accent; then the others by name."""
    files = {
        "Beta.crate": crate("b.mp3"),
        "Cafe\u0301.crate": crate("a.mp3", "b.mp3"),
        "House%%Deep.crate": crate("c.mp3"),
        "House.crate": crate(),
        "alpha.CRATE": crate(),
        "._Beta.crate": b"of macOS",
        "notes.txt": b"",
    }
    folder = write_crates(tmp_path / "_Serato_", files, "[crate]House\n[crate]House%%Deep\n[crate]Gone\n[crate]Café")
    library = read_serato_crates(folder)
    assert library.warnings == ()
    assert library.crates == (
        CrateListing(("House",), ()),
        CrateListing(("House", "Deep"), ("c.mp3",)),
        CrateListing(("Cafe\u0301",), ("a.mp3", "b.mp3")),
        CrateListing(("alpha",), ()),
        CrateListing(("Beta",), ("b.mp3",)),
    )
    assert library.entries == (LibraryEntry("c.mp3"), LibraryEntry("a.mp3"), LibraryEntry("b.mp3"))


def test_damaged_crates_are_warnings_with_their_names(tmp_path: Path) -> None:
    """The others are read."""
    files = {"A.crate": crate("a.mp3"), "B.crate": b"", "C.crate": crate("c.mp3", "d.mp3")[:-3]}
    library = read_serato_crates(write_crates(tmp_path / "_Serato_", files))
    assert [listing.locations for listing in library.crates] == [("a.mp3",), ("c.mp3",)]
    assert [warning[:8] for warning in library.warnings] == ["B.crate:", "C.crate:"]


def test_folder_without_crates_is_rejected(tmp_path: Path) -> None:
    """The message names what was looked for."""
    with pytest.raises(LibraryRejected, match="Subcrates"):
        read_serato_crates(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in the folders of Windows")
def test_pipe_is_no_crate(tmp_path: Path) -> None:
    """Reading it would never end."""
    folder = write_crates(tmp_path / "_Serato_", {"A.crate": crate()})
    os.mkfifo(folder / "Subcrates" / "B.crate")
    assert len(read_serato_crates(folder).crates) == 1


@pytest.mark.parametrize("script", [ROOT, MASTER], ids=["root", "master"])
def test_database_has_files_and_nested_crates(tmp_path: Path, script: str) -> None:
    """Crates in their order without those of other programs; a file that a crate has on two ways comes once."""
    assert read_serato_database(write_database(tmp_path / "root #1?.sqlite", script)) == LIBRARY


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_reading_leaves_no_trace(tmp_path: Path, mode: str) -> None:
    """No log, no lock, no changed byte, even in the mode that makes files when it is read."""
    file = write_database(tmp_path / "root.sqlite", f"PRAGMA journal_mode = {mode};" + ROOT)
    before = digests(tmp_path)
    assert list(before) == [str(file)]
    assert read_serato_database(file) == LIBRARY
    assert digests(tmp_path) == before


def test_changes_in_the_log_count(tmp_path: Path) -> None:
    """Serato is open and has not moved its last changes into the database yet; its log stays as it is."""
    file = tmp_path / "root.sqlite"
    with closing(sqlite3.connect(file)) as serato:
        serato.executescript("PRAGMA journal_mode = wal;" + ROOT)
        before = digests(tmp_path)
        assert len(before) == 3
        assert read_serato_database(file) == LIBRARY
        assert digests(tmp_path) == before


def test_half_done_change_does_not_count(tmp_path: Path) -> None:
    """Serato died while writing: its journal tells what was there before."""
    file = write_database(tmp_path / "root.sqlite", "PRAGMA page_size = 512;" + ROOT)
    whole = file.read_bytes()
    died = tmp_path / "died"
    died.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as serato:
        serato.execute("PRAGMA cache_size = 1")
        serato.execute("BEGIN")
        serato.execute("UPDATE container SET name = 'x' || id")
        serato.execute("UPDATE asset SET name = hex(randomblob(9000))")
        for left in (file, tmp_path / "root.sqlite-journal"):
            (died / left.name).write_bytes(left.read_bytes())
    assert (died / "root.sqlite").read_bytes() != whole
    before = digests(died)
    assert read_serato_database(died / "root.sqlite") == LIBRARY
    assert digests(died) == before


@pytest.mark.parametrize("data", [b"", b"no database" * 1000, b"SQLite format 3\0" + b"\0" * 5000])
def test_what_is_no_database_is_rejected(tmp_path: Path, data: bytes) -> None:
    """The message names the file."""
    file = tmp_path / "root.sqlite"
    file.write_bytes(data)
    with pytest.raises(LibraryRejected, match=r"root\.sqlite"):
        read_serato_database(file)


def test_missing_and_foreign_databases_are_rejected(tmp_path: Path) -> None:
    """Nothing is created in their place."""
    with pytest.raises(LibraryRejected, match="No such file"):
        read_serato_database(tmp_path / "root.sqlite")
    foreign = write_database(tmp_path / "other.sqlite", "CREATE TABLE asset (id); CREATE VIEW container AS SELECT 1;")
    with pytest.raises(LibraryRejected, match=r"no table container$"):
        read_serato_database(foreign)
    assert list(tmp_path.iterdir()) == [foreign]


def test_rows_of_any_type_are_taken_for_what_they_are(tmp_path: Path) -> None:
    """SQLite holds any type in any column; what cannot be true is left out."""
    changes = """
    UPDATE asset SET album = CAST(x'4aff' AS TEXT) WHERE id = 1;
    UPDATE asset SET name = x'ff00', bpm = 'fast', length_ms = -5, is_beatgrid_locked = 'x', genre = 7 WHERE id = 1;
    UPDATE asset SET portable_id = x'00' WHERE id = 2;
    UPDATE container SET parent_id = 12 WHERE id = 11;
    UPDATE container_asset SET list_order = 'x' WHERE id = 2;
    """
    library = read_serato_database(write_database(tmp_path / "root.sqlite", ROOT + changes))
    facts = DJFacts("serato", "Björk", "", "J\N{REPLACEMENT CHARACTER}", "7", "8A")
    assert library.entries[0] == LibraryEntry("Users/me/Music/Jóga.mp3", facts)
    assert [listing.path for listing in library.crates if "Acid" in listing.path] == [("Deep / Slow", "House", "Acid")]
    assert library.warnings == ("1 places in crates name no file",)


def test_mixed_drives_are_said(tmp_path: Path) -> None:
    """A path relative to its volume does not tell the volume."""
    changes = "UPDATE asset SET location_id = 2 WHERE id = 3;"
    library = read_serato_database(write_database(tmp_path / "master.sqlite", MASTER + changes))
    assert library.crates == LIBRARY.crates
    assert ["2 drives" in warning for warning in library.warnings] == [True]


def test_damaged_table_leaves_the_others(tmp_path: Path) -> None:
    """What is lost is said."""
    file = write_database(tmp_path / "root.sqlite")
    damage(file, "container_asset")
    library = read_serato_database(file)
    assert library.entries == LIBRARY.entries
    assert [listing.path for listing in library.crates] == [listing.path for listing in LIBRARY.crates]
    assert [warning[:38] for warning in library.warnings] == ["the table container_asset is damaged, "]


def test_database_of_damaged_tables_is_rejected(tmp_path: Path) -> None:
    """There is nothing to show."""
    file = write_database(tmp_path / "root.sqlite")
    damage(file, "asset", "container", "container_asset")
    with pytest.raises(LibraryRejected, match=r"root\.sqlite: the table container is damaged"):
        read_serato_database(file)


def damage(file: Path, *tables: str) -> None:
    """Make the first page of each table unreadable."""
    with closing(sqlite3.connect(file)) as connection:
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        pages = dict(connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
    data = bytearray(file.read_bytes())
    for table in tables:
        begin = (pages[table] - 1) * page_bytes
        data[begin : begin + page_bytes] = b"\xff" * page_bytes
    file.write_bytes(data)


def test_damaged_database_is_read_in_part_or_rejected(tmp_path: Path) -> None:
    """Cut at any length or changed anywhere, it never breaks the reader and never makes up files."""
    data = write_database(tmp_path / "whole.sqlite", "PRAGMA page_size = 512;" + ROOT).read_bytes()
    random_ = random.Random(4)  # noqa: S311  # a seeded one, on purpose
    file = tmp_path / "root.sqlite"
    outcomes = set()
    for attempt in range(2000):
        damaged = bytearray(data[: random_.randrange(len(data))] if attempt % 4 == 0 else data)
        for _ in range(attempt % 4 * 2):
            damaged[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        file.write_bytes(damaged)
        try:
            library = read_serato_database(file)
        except LibraryRejected:
            outcomes.add("rejected")
        else:
            outcomes.add("partial" if library.warnings else "read")
            assert len(library.entries) <= 20
    assert outcomes == {"rejected", "partial", "read"}
