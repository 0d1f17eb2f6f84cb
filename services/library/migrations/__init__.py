"""Schema of the catalogue, step by step."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine


def migrate(database: Engine, revision: str = "head") -> None:
    """Bring the database to a revision: `head` is the newest, `base` an empty schema."""
    config = Config(attributes={"database": database})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)
