"""The library's tables; `services/library/migrations` makes them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, MetaData
from sqlmodel import Field, SQLModel


class LibraryTable(SQLModel):
    """The base of all tables of this service, apart from those of the other services."""

    metadata = MetaData()


class TrackRow(LibraryTable, table=True):
    """A `stemhouse.tracks.Track` as its file alone tells it, and when the file was changed last.

    `real_path` is set where links lead to the file, `vocal_share` where somebody has listened, if only to excerpts
    (`is_probed`).
    """

    __tablename__ = "tracks"

    path: str = Field(primary_key=True)
    size_bytes: int = Field(sa_type=BigInteger)
    modified_ns: int = Field(sa_type=BigInteger)
    artist: str
    title: str
    album: str
    genre: str
    key: str
    bpm: float
    duration_s: float
    dj_facts: list[Any] = Field(sa_column=Column(JSON, nullable=False, server_default="[]"))
    vocal_share: float | None = None
    is_probed: bool = Field(default=False, sa_column_kwargs={"server_default": "0"})
    real_path: str = Field(default="", sa_column_kwargs={"server_default": ""})


class LibraryRow(LibraryTable, table=True):
    """A location that was scanned, and what its files of DJ programs looked like then; the time is ISO 8601 in UTC."""

    __tablename__ = "libraries"

    prefix: str = Field(primary_key=True)
    kind: str
    fingerprint: str
    path_maps: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    scanned_at: str


class LibraryEntryRow(LibraryTable, table=True):
    """A file that a library names, in the way of its `kind`; `path` is empty where it is missing."""

    __tablename__ = "library_entries"
    __table_args__ = (Index("ix_library_entries_path", "path"),)

    library: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    location: str
    kind: str
    folder: str
    path: str
    artist: str
    title: str
    album: str
    genre: str
    key: str
    bpm: float
    duration_s: float
    facts: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class CrateRow(LibraryTable, table=True):
    """A crate of a library."""

    __tablename__ = "crates"

    library: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    name: str


class CrateEntryRow(LibraryTable, table=True):
    """A place in a crate, and which entry of the library has it."""

    __tablename__ = "crate_entries"
    __table_args__ = (Index("ix_crate_entries_entry", "library", "entry"),)

    library: str = Field(primary_key=True)
    crate: int = Field(primary_key=True)
    place: int = Field(primary_key=True)
    entry: int
