"""Rows written over those that are there: SQLite and PostgreSQL have one way to say it, SQLAlchemy has two."""

from typing import TypeAlias

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite

from services.library.adapters.tables import LibraryTable

Upsert: TypeAlias = sqlite.Insert | postgresql.Insert


def insert_into(table: type[LibraryTable], dialect: Dialect) -> Upsert:
    """An insertion that has `excluded` and `on_conflict_do_update`."""
    insert = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    return insert(table)
