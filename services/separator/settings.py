"""What the separator takes from its environment (`STEMHOUSE_...`), read once in `main`."""

import os
import tempfile
from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemhouse.platform.object_stores import StoreSettings


class ModelSettings(BaseModel):
    """Where models are kept, and where they come from.

    `catalogue` is a JSON file of more models than the built-in ones. `mirror` replaces the addresses of the catalogues:
    a folder, `s3:` and a prefix of the object store's bucket, or an http(s) address, each holding `{model}/{file}`.
    Offline, nothing but a mirror that is a folder or in the object store is asked.
    """

    dir: Path = Path("models")
    catalogue: Path | None = None
    mirror: str = ""
    offline: bool = False


class PullSettings(BaseSettings):
    """What pulling models takes: no store, unless that is the mirror."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    models: ModelSettings = ModelSettings()
    log_level: str = "WARNING"


class MirrorStoreSettings(BaseSettings):
    """Of a mirror in the object store."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    store: StoreSettings


class SeparatorSettings(BaseSettings):
    """While a minute of stereo at 44.1 kHz is separated, `scratch_dir` needs room for about 150 MB."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    listen: str = "127.0.0.1:50052"
    store: StoreSettings
    models: ModelSettings = ModelSettings()
    threads_per_device: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    log_level: str = "INFO"
    scratch_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()) / "stemhouse-scratch")
