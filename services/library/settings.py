"""What the library service is told from outside; read once, in `main`."""

from pathlib import Path

from pydantic import Field

from stemhouse.platform.object_stores import StoreSettings
from stemhouse.platform.security import ServerSettings
from stemhouse.platform.settings import DATABASE_URL, LogLevel


class LibrarySettings(ServerSettings):
    """From environment variables STEMHOUSE_*."""

    is_of_one_tenant = True

    listen: str = "127.0.0.1:50053"
    database_url: str = Field(
        default="sqlite:///library.db", pattern=DATABASE_URL, description="an SQLite file, or a PostgreSQL database"
    )
    router: str = "127.0.0.1:50051"
    exporter: str = "127.0.0.1:50054"
    music_store: StoreSettings | None = Field(
        default=None, description="of music that is scanned as s3://BUCKET/PREFIX"
    )
    store_dir: Path | None = Field(default=None, description="the object store's folder, where that is on this machine")
    scratch_dir: Path | None = Field(default=None, description="the scratch of a separator on this machine")
    rescan_s: float = Field(default=30.0, gt=0, description="between two looks at a library that a batch watches")
    log_level: LogLevel = "INFO"
