"""The ledger's tables. They share a database with DBOS, hence the prefix.

Values are stored as JSON documents of the dataclasses in `stemhouse`; columns beside them are what is searched by. Of a
tenant, request ids, digests and places are in them as `Tenant.key` has it, so that nobody finds another one's.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, MetaData, UniqueConstraint
from sqlmodel import Field, SQLModel


class LedgerTable(SQLModel):
    """The base of all tables here: a registry of their own, for whoever compares schemas."""

    metadata = MetaData()


class JobRow(LedgerTable, table=True):
    """A job; `position` orders jobs by creation, `updated_us` by their last change: microseconds since 1970, or 0."""

    __tablename__ = "ledger_job"
    __table_args__ = (
        Index("ix_ledger_job_state", "state", "position"),
        Index("ix_ledger_job_batch", "batch_id", "updated_us"),
        Index("ix_ledger_job_tenant", "tenant", "position"),
    )

    position: int | None = Field(default=None, primary_key=True)
    job_id: str = Field(unique=True)
    request_id: str = Field(unique=True)
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str
    stage: str | None = None
    progress: float = 0.0
    sequence: int = 1
    is_cancel_requested: bool = False
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    batch_id: str = Field(default="", sa_column_kwargs={"server_default": ""})
    updated_us: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    tenant: str = Field(default="", sa_column_kwargs={"server_default": ""})


class SourceRow(LedgerTable, table=True):
    """A source file by its digests, and what which version of ingest made of it: either `ingested` or `rejection`."""

    __tablename__ = "ledger_source"

    sha256: str = Field(primary_key=True)
    md5: str = Field(index=True)
    ingested: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    rejection: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    ingest_version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class ResultRow(LedgerTable, table=True):
    """The accepted result for an audio and a wish: one row, whoever else tries."""

    __tablename__ = "ledger_result"
    __table_args__ = (UniqueConstraint("pcm_sha256", "wish"),)

    result_id: int | None = Field(default=None, primary_key=True)
    pcm_sha256: str
    wish: str
    engine_id: str
    accepted: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class CacheRow(LedgerTable, table=True):
    """What is stored of audio and results, used last at `used_s` (since 1970); what `is_leaving` answers nobody."""

    __tablename__ = "ledger_cache"
    __table_args__ = (
        Index("ix_ledger_cache_use", "used_s", "place"),
        Index("ix_ledger_cache_audio", "pcm_sha256"),
    )

    place: str = Field(primary_key=True)
    pcm_sha256: str
    engine_id: str
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    used_s: int = Field(sa_column=Column(BigInteger, nullable=False))
    is_leaving: bool = False
    tenant: str = Field(default="", sa_column_kwargs={"server_default": ""})


class CloudAccountRow(LedgerTable, table=True):
    """A cloud account that was allowed, now or before. Whoever reserves anything writes `revision` first: a lock."""

    __tablename__ = "ledger_cloud_account"

    account: str = Field(primary_key=True)
    is_allowed: bool
    minutes_per_day: float
    revision: int = 0


class CloudOrderRow(LedgerTable, table=True):
    """What a cloud engine may spend, or has spent: `minutes`, on a day in UTC. `state`: reserved, or how it ended."""

    __tablename__ = "ledger_cloud_order"
    __table_args__ = (
        Index("ix_ledger_cloud_order_day", "account", "day"),
        Index("ix_ledger_cloud_order_batch", "batch"),
        Index("ix_ledger_cloud_order_audio", "pcm_sha256", "engine_id"),
    )

    order_id: int | None = Field(default=None, primary_key=True)
    idempotency_key: str = Field(unique=True)
    account: str
    job_id: str
    batch: str
    engine_id: str
    pcm_sha256: str
    state: str
    minutes: float
    day: date
