"""Transactions of the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlmodel import Session

from stemhouse.platform.databases import database_errors


@contextmanager
def transaction(database: Engine) -> Iterator[Session]:
    """A session whose work is committed at the end of the block, or not at all. Rows stay readable after it.

    Raises Unavailable if the database does not answer.
    """
    with database_errors(database), Session(database, expire_on_commit=False) as session, session.begin():
        yield session
