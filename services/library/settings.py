"""What the library service is told from outside; read once, in `main`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LibrarySettings(BaseSettings):
    """From environment variables STEMHOUSE_*."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    listen: str = "127.0.0.1:50053"
    database_url: str = Field(default="sqlite:///library.db", pattern=r"^sqlite:///.+", description="an SQLite file")
    log_level: str = "INFO"
