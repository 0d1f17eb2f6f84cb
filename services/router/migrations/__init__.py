"""Schema of the ledger, step by step."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

VERSION_TABLE = "ledger_version"


def migrate(database: Engine, revision: str = "head") -> None:
    """Bring the ledger's tables to a revision; other tables of the database are left alone."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database"] = database
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)
