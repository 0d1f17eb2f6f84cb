"""Choosing tracks by their paths, in the terms of SQL."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Mapped
from sqlmodel import col

from services.library.adapters.tables import LibraryEntryRow, TrackRow

CHUNK_ROWS = 500
"""Values in one statement, and rows that are fetched at a time."""


def chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at a time as one statement takes."""
    return (paths[start : start + CHUNK_ROWS] for start in range(0, len(paths), CHUNK_ROWS))


def is_below(column: Mapped[str], prefix: str) -> ColumnElement[bool]:
    """Whether a text starts with the prefix, as a range of the column's index."""
    if not prefix:
        return true()
    return and_(column >= prefix, column < prefix[:-1] + chr(ord(prefix[-1]) + 1))


def is_track_of(prefix: str) -> ColumnElement[bool]:
    """Whether a track lies below the prefix, or a library there names it."""
    if not prefix:
        return true()
    named = select(col(LibraryEntryRow.path)).where(is_below(col(LibraryEntryRow.library), prefix))
    return or_(is_below(col(TrackRow.path), prefix), col(TrackRow.path).in_(named))
