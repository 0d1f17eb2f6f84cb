"""What the exporter is told from outside; read once, in `main`."""

from pathlib import Path
from tempfile import gettempdir

from pydantic import PositiveInt

from stemhouse.platform.object_stores import StoreSettings
from stemhouse.platform.security import ServerSettings
from stemhouse.platform.settings import LogLevel


class ExporterSettings(ServerSettings):
    """From environment variables STEMHOUSE_*; the store's are STEMHOUSE_STORE__*."""

    listen: str = "127.0.0.1:50054"
    store: StoreSettings
    scratch_dir: Path = Path(gettempdir())
    max_upload_bytes: PositiveInt = 8 * 1024**3
    log_level: LogLevel = "INFO"
