"""Transactions of the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

from stemhouse.platform.databases import database_errors


@contextmanager
def transaction(database: Engine) -> Iterator[Session]:
    """A session whose work is committed at the end of the block, or not at all. Rows stay readable after it.

    Raises Unavailable if the database does not answer.
    """
    with database_errors(database), Session(database, expire_on_commit=False) as session, session.begin():
        yield session


def merge(database: Engine, row: SQLModel) -> None:
    """Write a row, over one of its primary key if there is one."""
    try:
        _merge(database, row)
    except IntegrityError:  # somebody else has added it between our look and our write
        _merge(database, row)


def _merge(database: Engine, row: SQLModel) -> None:
    with transaction(database) as session:
        session.merge(row)
