"""The tables of batches; `services/library/migrations` makes them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Index
from sqlmodel import Field

from services.library.adapters.tables import LibraryTable


class BatchRow(LibraryTable, table=True):
    """A `stemhouse.batches.Batch` without its counts; times are ISO 8601 in UTC."""

    __tablename__ = "batches"

    position: int | None = Field(default=None, primary_key=True)
    batch_id: str = Field(unique=True)
    request_id: str = Field(unique=True)
    spec: dict[str, Any] = Field(sa_type=JSON)
    engine: str
    state: str
    created_at: str
    ended_at: str = ""
    sequence: int = 1
    tracks_per_hour: float | None = None
    remaining_s: float | None = None
    hindrance: str = ""


class BatchItemRow(LibraryTable, table=True):
    """A `stemhouse.batches.BatchItem`."""

    __tablename__ = "batch_items"
    __table_args__ = (Index("ix_batch_items_state", "batch_id", "state", "job_id", "place"),)

    batch_id: str = Field(primary_key=True)
    place: int = Field(primary_key=True)
    path: str
    reasons: list[str] = Field(sa_type=JSON)
    state: str
    attempt: int
    size_bytes: int = Field(sa_type=BigInteger)
    modified_ns: int = Field(sa_type=BigInteger)
    audio_s: float
    job_id: str
    engine_id: str
    folder: str
    file_sizes_bytes: dict[str, int] = Field(sa_type=JSON)
    error: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    remedy: str
    work_s: float
    tier: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    damage: str = Field(default="", sa_column_kwargs={"server_default": ""})


class ExportRow(LibraryTable, table=True):
    """What was delivered last of a path for a wish, and the stamp of the file that it was made of."""

    __tablename__ = "exports"
    __table_args__ = (Index("ix_exports_wish_size_bytes", "wish", "size_bytes"),)

    path: str = Field(primary_key=True)
    wish: str = Field(primary_key=True)
    size_bytes: int = Field(sa_type=BigInteger)
    modified_ns: int = Field(sa_type=BigInteger)
    folder: str = Field(index=True)
    file_sizes_bytes: dict[str, int] = Field(sa_type=JSON)
    audio_s: float
    size_class: str = Field(index=True)
    total_bytes: int = Field(sa_type=BigInteger)
    source_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})
    audio_sha256: str = Field(default="", sa_column_kwargs={"server_default": ""})
    damage: str = Field(default="", sa_column_kwargs={"server_default": ""})


class EngineWorkRow(LibraryTable, table=True):
    """How much audio an engine has separated in batches, in how much time, and what the store held of it.

    `stored_audio_s` is the part of the audio whose bytes are known.
    """

    __tablename__ = "engine_work"

    engine_id: str = Field(primary_key=True)
    audio_s: float
    wall_s: float
    stored_audio_s: float = 0.0
    stored_bytes: int = Field(default=0, sa_type=BigInteger)
