"""What the router is told from outside; read once, in `main`."""

from pathlib import Path
from tempfile import gettempdir

from pydantic import BaseModel, ByteSize, Field

from stemhouse.platform.object_stores import StoreSettings
from stemhouse.platform.security import ServerSettings
from stemhouse.platform.settings import DATABASE_URL, LogLevel


class CacheSettings(BaseModel):
    """How much audio and results may take in the store, as 50GB or 200GiB; with no limit nothing goes by itself.

    What was used within `kept_s` stays, whatever the limit says: it may be on its way to whoever asked for it.
    """

    max_bytes: ByteSize | None = Field(default=None, gt=0)
    kept_s: float = Field(default=3600.0, ge=0.0)


class RouterSettings(ServerSettings):
    """From environment variables STEMHOUSE_*; the store's are STEMHOUSE_STORE__*."""

    listen: str = "127.0.0.1:50051"
    separators: str = Field(
        default="127.0.0.1:50052", description="addresses, separated by commas; dns:NAME:PORT stands for all of a name"
    )
    database_url: str = Field(
        default="sqlite:///ledger.db",
        pattern=DATABASE_URL,
        description="an SQLite file, or a PostgreSQL database",
    )
    store: StoreSettings
    scratch_dir: Path = Path(gettempdir())
    cache: CacheSettings = CacheSettings()
    max_upload_bytes: int = Field(default=8 * 1024**3, gt=0)
    max_open_jobs: int = Field(
        default=100_000, gt=0, description="jobs of the house that wait or run; tenants have their own number"
    )
    concurrent_jobs: int = Field(
        default=4,
        gt=0,
        description="jobs worked on at once, or twice the slots of all devices; and as many that come before batches",
    )
    policy: Path | None = Field(
        default=None, description="how engines are chosen, where that differs from services/router/policy.toml"
    )
    log_level: LogLevel = "INFO"

    @property
    def separator_addresses(self) -> list[str]:
        """Addresses of the separators, at least one."""
        return [address.strip() for address in self.separators.split(",") if address.strip()]
