"""The library's tables; `services/library/migrations` makes them."""

from sqlalchemy import BigInteger, MetaData
from sqlmodel import Field, SQLModel


class LibraryTable(SQLModel):
    """The base of all tables of this service, apart from those of the other services."""

    metadata = MetaData()


class TrackRow(LibraryTable, table=True):
    """A `stemhouse.tracks.Track`, and when its file was changed last."""

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
