"""One suite for the SQLite catalogue and its fake; and the schema that the migrations make."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect

from services.library.adapters.batch_tables import BatchRow
from services.library.adapters.catalogue import SqlTrackCatalogue
from services.library.core.ports import CatalogueEntry, FileStamp, TrackCatalogue
from services.library.migrations import VERSION_TABLE, migrate
from stemhouse.errors import Unavailable
from stemhouse.platform.databases import open_database
from stemhouse.tracks import Track
from tests.unit.library.fakes import MemoryCatalogue


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """An SQLite file at the newest revision, in a folder that did not exist."""
    engine = open_database(f"sqlite:///{tmp_path}/new 100%/library.db")
    migrate(engine)
    yield engine
    engine.dispose()


def at_revision(tmp_path: Path, revision: str) -> Engine:
    """An SQLite file as an earlier version left it."""
    engine = open_database(f"sqlite:///{tmp_path}/old.db")
    migrate(engine, revision)
    return engine


@pytest.fixture(params=["sqlite", "memory"])
def catalogue(request: pytest.FixtureRequest, database: Engine) -> TrackCatalogue:
    """Each catalogue in turn."""
    return SqlTrackCatalogue(database) if request.param == "sqlite" else MemoryCatalogue()


def entry(path: str, modified_ns: int = 1, title: str = "") -> CatalogueEntry:
    """An entry with every field set."""
    track = Track(path, 5_000_000_000, "Björk", title, "Début", "House", "8A", 127.95, 301.5)
    return CatalogueEntry(track, FileStamp(5_000_000_000, modified_ns))


def test_entries_come_back_as_they_were(catalogue: TrackCatalogue) -> None:
    """Every field, with sizes beyond 32 bits and times in nanoseconds."""
    stored = entry("/music/日本語 🎧.wav", 1_763_846_000_123_456_789, "Jóga")
    catalogue.upsert([stored])
    assert list(catalogue.page("", "", 10)) == [stored.track]
    assert catalogue.stamps("/music/") == {stored.track.path: stored.stamp}


def test_unread_tracks_are_those_of_which_the_file_tells_nothing(catalogue: TrackCatalogue) -> None:
    """Neither a tag nor a length."""
    for path, track in (("/a", Track("/a", 1)), ("/b", Track("/b", 1, key="Am")), ("/c", Track("/c", 1, duration_s=1))):
        catalogue.upsert([CatalogueEntry(track, FileStamp(1, 1)), entry(f"{path}/d")])
    assert list(catalogue.unread()) == ["/a"]


def test_upsert_replaces_by_path(catalogue: TrackCatalogue) -> None:
    """The same path is the same track."""
    catalogue.upsert([entry("/a.wav", title="old"), entry("/b.wav")])
    catalogue.upsert([entry("/a.wav", 2, "new")])
    assert [track.title for track in catalogue.page("", "", 10)] == ["new", ""]
    assert catalogue.stamps("/")["/a.wav"].modified_ns == 2


def test_nothing_to_upsert_is_no_error(catalogue: TrackCatalogue) -> None:
    """A batch may hold unchanged files only."""
    catalogue.upsert([])
    assert catalogue.count("") == 0


def test_prefix_means_below_that_folder(catalogue: TrackCatalogue) -> None:
    """Neither a longer name nor the next character counts, nor do % and _ match anything."""
    inside = ["/mu_ic%/!.wav", "/mu_ic%/a.wav", "/mu_ic%/\U0010ffff.wav"]
    outside = ["/mu_ic%.wav", "/mu_ic%0", "/mu_ic%2/a.wav", "/music%/a.wav", "/MU_IC%/a.wav"]
    catalogue.upsert([entry(path) for path in inside + outside])
    assert [track.path for track in catalogue.page("/mu_ic%/", "", 10)] == inside
    assert sorted(catalogue.stamps("/mu_ic%/")) == inside
    assert catalogue.count("/mu_ic%/") == len(inside)
    assert catalogue.count("") == len(inside + outside)


def test_page_begins_after_a_path_in_code_point_order(catalogue: TrackCatalogue) -> None:
    """Upper case before lower case before the rest, as Python sorts."""
    paths = ["/B", "/a", "/é", "/日", "/🎧"]
    catalogue.upsert([entry(path) for path in reversed(paths)])
    assert [track.path for track in catalogue.page("", "/a", 2)] == ["/é", "/日"]


def test_remove_forgets_the_named_tracks(catalogue: TrackCatalogue) -> None:
    """An unknown path is no error."""
    catalogue.upsert([entry("/a.wav"), entry("/b.wav")])
    catalogue.remove(["/a.wav", "/c.wav"])
    assert list(catalogue.stamps("")) == ["/b.wav"]


def test_migrated_schema_is_that_of_the_tables(database: Engine) -> None:
    """A changed table needs a migration."""
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, BatchRow.metadata) == []


def test_tracks_of_the_first_version_stay(tmp_path: Path) -> None:
    """With nothing known of vocals and programs, and no scanned location."""
    engine = at_revision(tmp_path, "0001")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO tracks VALUES ('/a.wav', 9, 7, 'x', 'y', 'z', 'House', '8A', 120.0, 3.5)"
        )
    migrate(engine)
    catalogue = SqlTrackCatalogue(engine)
    assert list(catalogue.page("", "", 9)) == [Track("/a.wav", 9, "x", "y", "z", "House", "8A", 120.0, 3.5)]
    assert [each.vocal_share for each in catalogue.candidates("")] == [None]
    assert catalogue.stamps("") == {"/a.wav": FileStamp(9, 7)}
    engine.dispose()


def test_migrations_go_back_and_forth(database: Engine) -> None:
    """The way back leaves no table, and the way forth can be gone again, also twice."""
    migrate(database, "base")
    assert inspect(database).get_table_names() == [VERSION_TABLE]
    migrate(database)
    migrate(database)
    SqlTrackCatalogue(database).upsert([entry("/a.wav")])


def test_database_keeps_a_write_ahead_log(database: Engine) -> None:
    """Listing goes on while a scan writes."""
    with database.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"


def test_database_without_tables_is_not_ready(tmp_path: Path) -> None:
    """The error names the database and the cause."""
    engine = open_database(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(Unavailable, match=r"empty\.db.*no such table"):
        SqlTrackCatalogue(engine).probe()
    engine.dispose()


def test_damaged_database_is_unavailable(database: Engine) -> None:
    """Not a crash: the service says so and stays."""
    database.dispose()
    Path(str(database.url.database)).write_bytes(b"not a database" * 100)
    with pytest.raises(Unavailable):
        SqlTrackCatalogue(database).probe()


def test_reader_sees_the_old_state_while_a_writer_is_busy(database: Engine) -> None:
    """A listing during a scan neither waits nor fails."""
    catalogue = SqlTrackCatalogue(database)
    catalogue.upsert([entry("/a.wav")])
    writer = sqlite3.connect(str(database.url.database), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM tracks")
    assert catalogue.count("") == 1
    writer.execute("COMMIT")
    writer.close()
    assert catalogue.count("") == 0
