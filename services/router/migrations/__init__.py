"""Schema of the ledger, step by step."""

from pathlib import Path

from sqlalchemy import Engine

from stemhouse.platform import databases

VERSION_TABLE = "ledger_version"


def migrate(database: Engine, revision: str = "head") -> None:
    """Bring the ledger's tables to a revision: `head` is the newest, `base` none, `-1` the one before."""
    databases.migrate(database, Path(__file__).parent, VERSION_TABLE, revision)
