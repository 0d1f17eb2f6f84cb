"""What the separator takes from its environment (`STEMHOUSE_...`), read once in `main`."""

import os
import tempfile
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemhouse.platform.object_stores import StoreSettings


class SeparatorSettings(BaseSettings):
    """While a minute of stereo at 44.1 kHz is separated, `scratch_dir` needs room for about 150 MB."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    listen: str = "127.0.0.1:50052"
    store: StoreSettings
    threads_per_device: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    log_level: str = "INFO"
    scratch_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()) / "stemhouse-scratch")
